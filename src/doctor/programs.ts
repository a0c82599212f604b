import { existsSync } from 'node:fs';
import { z } from 'zod';
import { commandEnvironment } from '../checks/environment.js';
import type { Processes } from '../clients/process.js';
import { majorOf, readTools, type Tool } from '../clients/tools.js';
import type { TargetConfig } from '../config.js';
import { type Runbook, targetOf } from '../runbook/definition.js';
import type { DatabaseLook } from './database-facts.js';
import { type Check, type Finding, fine, problem } from './finding.js';
import { type Modules, moduleFindings, readModules, versionsOf } from './python-modules.js';

const ownPrograms = ['alembic', 'pg_dump', 'pg_restore', 'python3'] as const;
const timeoutMs = 25_000;

interface Programs {
  readonly tools: readonly Tool[];
  readonly python: Modules;
}

type AskPrograms = (target: TargetConfig, programs: readonly string[]) => Promise<Programs>;

/** Asks programs for their versions; targets that share folder and environment are answered by one asking. */
export function createAskPrograms(processes: Processes): AskPrograms {
  const answers = new Map<string, Promise<Programs>>();
  async function ask(target: TargetConfig, cwd: string, programs: readonly string[]): Promise<Programs> {
    const place = { processes, cwd, env: commandEnvironment(target, 'm10bot-doctor') };
    const id = `doctor/${target.name}`;
    const [tools, python] = await Promise.all([
      readTools(programs, { ...place, id, timeoutMs }),
      readModules(place, id, timeoutMs),
    ]);
    return { tools, python };
  }
  return (target, programs) => {
    // A folder that is missing is the backend's problem; the programs can be asked anywhere.
    const cwd = existsSync(target.directory) ? target.directory : '/';
    const key = JSON.stringify([cwd, target.env, programs]);
    const answer = answers.get(key) ?? ask(target, cwd, programs);
    answers.set(key, answer);
    return answer;
  };
}

/** The programs of a target's steps, found and asked for their versions as a step would run them. */
export function programsCheck(
  target: TargetConfig,
  deps: {
    readonly ask: AskPrograms;
    readonly look: () => Promise<DatabaseLook>;
    readonly runbook: () => Runbook | null;
  },
): Check {
  const what = `programs of ${target.name}`;
  return {
    what,
    async run() {
      if ((target.env.PATH ?? '') === '') {
        const todo = `set targets.${target.name}.env.PATH, since steps inherit nothing`;
        return [problem(what, 'no PATH is configured, so none is found', todo)];
      }
      const commands = commandsOn(target.name, deps.runbook());
      const programs = new Set([...ownPrograms, ...commands.flatMap((argv) => argv.slice(0, 1))]);
      const { tools, python } = await deps.ask(target, [...programs].sort());
      const bad = tools.flatMap((tool) => (tool.kind === 'present' ? [] : [notUsable(what, tool)]));
      const old = tooOld(what, tools, await deps.look());
      const good = [
        ...tools.flatMap((tool) => (tool.kind === 'present' ? [`${tool.program} ${tool.version}`] : [])),
        ...versionsOf(python),
      ];
      return [
        ...(good.length === 0 ? [] : [fine(what, good.join(', '))]),
        ...bad,
        ...old,
        // Without python3 there is one problem, not two.
        ...(tools.some((t) => t.program === 'python3' && t.kind !== 'present')
          ? []
          : moduleFindings(
              what,
              python,
              commands.some((argv) => argv.includes('pytest')),
            )),
      ];
    },
  };
}

const Argv = z.looseObject({ argv: z.array(z.string()) });

/** Commands that the runbook runs on a target. */
function commandsOn(target: string, runbook: Runbook | null): string[][] {
  if (runbook === null) return [];
  return [...runbook.phases, ...runbook.operations, runbook.rollback].flatMap((block) =>
    block.steps.flatMap((step) => {
      const parsed = Argv.safeParse(step.with);
      return parsed.success && targetOf(runbook, block, step) === target ? [parsed.data.argv] : [];
    }),
  );
}

function notUsable(what: string, tool: Exclude<Tool, { kind: 'present' }>): Finding {
  const todo = `install ${tool.program}, or let env.PATH lead to it`;
  if (tool.kind === 'missing') return problem(what, tool.reason, todo);
  return problem(what, `${tool.program} (${tool.path}) does not run: ${tool.evidence}`, todo);
}

/** A dump by an older pg_dump is refused by the server; one by a newer is fine. */
function tooOld(what: string, tools: readonly Tool[], look: DatabaseLook): Finding[] {
  if (look.kind === 'failed') return [];
  const server = Math.floor(look.facts.identity.versionNumber / 10_000);
  return tools.flatMap((tool) => {
    const compared = tool.program === 'pg_dump' || tool.program === 'pg_restore';
    if (!compared || tool.kind !== 'present' || majorOf(tool.version) >= server) return [];
    return [
      problem(
        what,
        `${tool.program} ${tool.version} is older than the server (${look.facts.identity.version}), which it cannot dump`,
        `put the client programs of PostgreSQL ${server} or newer first in env.PATH`,
      ),
    ];
  });
}
