import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { ProcessResult } from '../../clients/process.js';
import type { TargetConfig } from '../../config.js';
import type { PlanContext, StepContext } from '../../runbook/step-kind.js';
import type { StepDeps } from '../deps.js';
import { commandEnvironment, rendered } from '../environment.js';
import { wanted } from '../expectation.js';
import { listed, spoken } from '../outcome.js';
import { type CommandArgs, shortName } from './arguments.js';

/** JSON is read back whole up to this size. */
const outputBytes = 4 * 1_024 * 1_024;

export type CommandDeps = Pick<StepDeps, 'processes' | 'workDirectory'>;

/** What a command's run must know; a job of the scheduler has no more than this. */
export type CommandContext = Pick<
  StepContext<TargetConfig>,
  'target' | 'childId' | 'applicationName' | 'signal'
> & { readonly step: { readonly timeout: number } };

/** The folder that `{work}` stands for: new for each attempt, so that an old report is never read as this one's. */
export function workFolder(deps: CommandDeps, context: Pick<CommandContext, 'childId'>): string {
  return join(deps.workDirectory, context.childId);
}

export async function runCommand(
  deps: CommandDeps,
  args: CommandArgs,
  context: CommandContext,
): Promise<ProcessResult> {
  const work = workFolder(deps, context);
  await mkdir(work, { recursive: true, mode: 0o700 });
  const [program, ...rest] = args.argv;
  const filled = (text: string) => text.replaceAll('{work}', work);
  return deps.processes.run({
    id: context.childId,
    argv: [program, ...rest.map(filled)],
    cwd: resolve(context.target.directory, args.cwd ?? '.'),
    env: {
      // A compiled file in the project may be of another source than the one that was approved.
      PYTHONPYCACHEPREFIX: join(dirname(deps.workDirectory), 'pycache'),
      ...commandEnvironment(context.target, context.applicationName, args.env),
    },
    timeoutMs: context.step.timeout,
    signal: context.signal,
    maxOutputBytes: outputBytes,
  });
}

export function describeCommand(args: CommandArgs, context: PlanContext<TargetConfig>) {
  const { expect } = args;
  const demands = [
    expect.exit.length === 1 && expect.exit[0] === 0
      ? 'ends with 0'
      : `ends with ${expect.exit.join(' or ')}`,
    ...Object.entries(expect['stdout-json'] ?? {}).map(([path, e]) => `${path} is ${wanted(e)}`),
    ...(expect['stdout-matching'] === undefined ? [] : ['prints what the runbook expects (stdout-matching)']),
    ...(expect['stdout-not-matching'] === undefined
      ? []
      : ['prints nothing that the runbook excludes (stdout-not-matching)']),
    ...(expect['stderr-not-matching'] === undefined
      ? []
      : ['reports no error that the runbook excludes (stderr-not-matching)']),
    ...(expect.junit === undefined ? [] : [`at least ${expect.junit['min-tests']} tests run and none fails`]),
  ];
  return {
    words: `Run ${shortName(args)} for ${context.target.name}, up to ${spoken(context.step.timeout)}; expect that it ${listed(demands)}.`,
    commands: [
      `cd ${resolve(context.target.directory, args.cwd ?? '.')}`,
      rendered(context.target, args.argv, args.env),
    ],
  };
}

/** What was accepted beforehand must be seen by whoever approves. */
export function commandWarnings(args: CommandArgs): string[] {
  const { junit } = args.expect;
  if (junit === undefined) return [];
  return [
    ...(junit['accept-failures'].length === 0
      ? []
      : [`these tests may fail: ${listed(junit['accept-failures'])}`]),
    ...(junit['accept-skips'].length === 0
      ? []
      : [`these tests may be skipped: ${listed(junit['accept-skips'])}`]),
  ];
}
