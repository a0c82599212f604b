import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { z } from 'zod';
import { CommandArgs, shortName } from '../../checks/command/arguments.js';
import { judgeCommand } from '../../checks/command/judge.js';
import { runCommand, workFolder } from '../../checks/command/run.js';
import type { StepDeps } from '../../checks/deps.js';
import { rendered } from '../../checks/environment.js';
import { elsewhere, jobsPlace, nothingToSurvey } from '../../checks/jobs/place.js';
import { listed, passed, plural } from '../../checks/outcome.js';
import type { TargetConfig } from '../../config.js';
import type { JobsConfig } from '../../config-jobs.js';
import {
  defineKind,
  type Outcome,
  type Probe,
  type StepContext,
  type StepKind,
} from '../../runbook/step-kind.js';

const Args = z.strictObject({});
const nothing = 'no program is listed under jobs.retire in m10.yml: nothing to retire';

/** Runs the programs that retire whatever ran the jobs before, such as `systemctl disable --now`. */
export function jobsRetire(deps: StepDeps): StepKind<TargetConfig> {
  return defineKind({
    name: 'jobs.retire',
    changes: true,
    args: Args,
    describe(_, { target }) {
      const argvs = deps.config.jobs?.retire ?? [];
      return {
        words:
          argvs.length === 0
            ? `Retire what ran the jobs of ${target.name} before; ${nothing}.`
            : `Retire what ran the jobs of ${target.name} before: ${plural(argvs.length, 'program')} one after the other, each must end with 0.`,
        commands:
          argvs.length === 0 ? [] : [`cd ${target.directory}`, ...argvs.map((a) => rendered(target, a))],
      };
    },
    async survey(_, { target }) {
      const place = jobsPlace(deps, target.name, 'retire');
      if (place.kind !== 'here') return nothingToSurvey(place);
      const { retire } = place.jobs;
      const beware = `${nothing}. Timers that still run the jobs go on beside the bot`;
      return {
        kind: 'surveyed',
        parts: { programs: JSON.stringify(retire) },
        sql: [],
        warnings: retire.length === 0 ? [beware] : [],
      };
    },
    async run(_, context) {
      const place = jobsPlace(deps, context.target.name, 'retire');
      if (place.kind !== 'here') return elsewhere(place);
      const told: string[] = [];
      const programs = programsOf(place.jobs);
      for (const [index, args] of programs.entries()) {
        const inside = placed(context, index);
        const ended = await judgeCommand(
          args,
          await runCommand(deps, args, inside),
          where(deps, args, inside),
        );
        told.push(...lines(args, ended));
        if (ended.result !== 'passed') return stopped(ended, index, programs.length, told);
      }
      return retired(programs, told);
    },
    async probe(_, context): Promise<Probe> {
      const place = jobsPlace(deps, context.target.name, 'retire');
      if (place.kind !== 'here') return { kind: 'done', outcome: elsewhere(place) };
      return whatBecame(deps, place.jobs, context);
    },
  });
}

/** How far an interrupted attempt came: each program's end is looked up, in order. */
async function whatBecame(
  deps: StepDeps,
  jobs: JobsConfig,
  context: StepContext<TargetConfig>,
): Promise<Probe> {
  const told: string[] = [];
  const programs = programsOf(jobs);
  for (const [index, args] of programs.entries()) {
    const inside = placed(context, index);
    const name = shortName(args);
    const sighting = deps.processes.look(inside.childId);
    switch (sighting.kind) {
      case 'running':
        return {
          kind: 'running',
          evidence: `${name}: process ${sighting.pid}, started ${sighting.startedAt}`,
        };
      case 'never_started':
        if (index === 0) return { kind: 'not_done', evidence: `${name} was never started` };
        return { kind: 'unknown', evidence: [...told, `${name} was never started`].join('\n') };
      case 'unknown':
        return { kind: 'unknown', evidence: [...told, `${name}: ${sighting.reason}`].join('\n') };
      case 'ended':
        break;
    }
    const { exit } = sighting;
    if (exit?.kind !== 'exited' || exit.exitCode === null) {
      return { kind: 'unknown', evidence: [...told, `${name} ended and nobody saw how`].join('\n') };
    }
    const paths = deps.processes.paths(inside.childId);
    const [stdout = '', stderr = ''] = await Promise.all(
      [paths.stdout, paths.stderr].map((path) => readFile(path, 'utf8')),
    );
    const result = {
      kind: 'exited' as const,
      exitCode: exit.exitCode,
      stdout,
      stderr,
      stdoutPath: paths.stdout,
      stderrPath: paths.stderr,
      durationMs: exit.durationMs,
    };
    const ended = await judgeCommand(args, result, where(deps, args, inside));
    told.push(...lines(args, ended));
    if (ended.result !== 'passed') {
      return { kind: 'done', outcome: stopped(ended, index, programs.length, told) };
    }
  }
  return { kind: 'done', outcome: retired(programs, told) };
}

function programsOf(jobs: JobsConfig): CommandArgs[] {
  return jobs.retire.map((argv) => CommandArgs.parse({ argv }));
}

/** Each program has a folder of its own below the attempt's. */
function placed(context: StepContext<TargetConfig>, index: number): StepContext<TargetConfig> {
  return { ...context, childId: `${context.childId}/program-${index + 1}` };
}

function where(deps: StepDeps, args: CommandArgs, context: StepContext<TargetConfig>) {
  return {
    work: workFolder(deps, context),
    cwd: resolve(context.target.directory, args.cwd ?? '.'),
    redact: context.redact,
  };
}

function lines(args: CommandArgs, { summary, output }: Outcome): string[] {
  return [
    `$ ${args.argv.join(' ')}`,
    summary,
    ...(output === undefined || output === '' ? [] : [output]),
    '',
  ];
}

function stopped(ended: Outcome, index: number, count: number, told: readonly string[]): Outcome {
  const rest = count - index - 1;
  const after =
    rest === 0 ? '' : `; ${plural(rest, 'program')} after it ${rest === 1 ? 'was' : 'were'} not run`;
  return { ...ended, summary: `${ended.summary}${after}`, output: told.join('\n') };
}

function retired(programs: readonly CommandArgs[], told: readonly string[]): Outcome {
  if (programs.length === 0) return passed(nothing);
  return passed(`retired: ${listed(programs.map(shortName))} ended well`, { output: told.join('\n') });
}
