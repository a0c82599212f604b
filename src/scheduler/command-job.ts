import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type CommandArgs, shortName } from '../checks/command/arguments.js';
import { judgeCommand } from '../checks/command/judge.js';
import { type CommandDeps, runCommand, workFolder } from '../checks/command/run.js';
import { listLocks } from '../clients/m10/locks.js';
import type { ProcessResult } from '../clients/process.js';
import { readSaid } from './command-verdict.js';
import { type Job, type JobContext, JobFailure, type JobResult, JobSkipped } from './job.js';

/**
 * A program of the team's own in place of a built-in job, such as `python -m scripts.ops.reconcile_dl --json`. It
 * takes the job's lock by itself, so nobody holds it around the program: that would shut it out. It gets the
 * target's environment and nothing else, and is judged by the expectations of the configuration and by what is
 * known of ends that look like success.
 * @param builtIn whose name, lock and needs it takes over
 * @param dryRun arguments that are added for a dry run; null when it has none
 */
export function createCommandJob(
  deps: CommandDeps,
  builtIn: Pick<Job, 'name' | 'lock' | 'ttlSeconds' | 'needs'>,
  args: CommandArgs,
  options: { readonly timeoutMs: number; readonly dryRun: readonly string[] | null },
): Job {
  const { name, lock, ttlSeconds, needs } = builtIn;

  function argsFor(dry: boolean): CommandArgs {
    if (!dry) return args;
    if (options.dryRun === null) {
      throw new JobFailure(`${shortName(args)} has no dry run that the bot knows of; it was not started.`, {
        advice: `Name the arguments that make it one as \`dry-run\` of ${name} in m10.yml, such as [--dry-run].`,
      });
    }
    return { ...args, argv: [...args.argv, ...options.dryRun] };
  }

  async function run(context: JobContext): Promise<JobResult> {
    const ours = argsFor(context.dryRun);
    const { target, signal } = context;
    const childId = `jobs/${target.name}/${name}/${context.now()}-${randomBytes(4).toString('hex')}`;
    const application = `m10bot job ${name}`;
    const work = workFolder(deps, { childId });
    try {
      const result = await runCommand(deps, ours, {
        target,
        childId,
        applicationName: application,
        signal,
        // The executor ends it by the signal when the job's time is up; this is for a bot that has died meanwhile.
        step: { timeout: options.timeoutMs + 10_000 },
      });
      return await judged(ours, result, work, context);
    } finally {
      // There are thousands of runs: what is worth keeping stands in the table of runs.
      for (const folder of [deps.processes.paths(childId).folder, work]) {
        await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      }
    }
  }

  async function judged(
    ours: CommandArgs,
    result: ProcessResult,
    work: string,
    context: JobContext,
  ): Promise<JobResult> {
    const cwd = resolve(context.target.directory, ours.cwd ?? '.');
    const outcome = await judgeCommand(ours, result, { work, cwd, redact: context.redact });
    const output = outcome.output ?? '';
    const said =
      result.kind === 'exited'
        ? readSaid(ours, result.stdout, result.stderr, context.redact)
        : { kind: 'nothing_wrong' as const };
    if (said.kind === 'skipped') throw await skipped(ours, said.reason, output, context);
    if (outcome.result !== 'passed') {
      const advice = said.kind === 'wrong' ? said.advice : 'The output says more; `/m10 jobs log` shows it.';
      throw new JobFailure(outcome.summary, { advice, output });
    }
    if (said.kind === 'wrong') {
      throw new JobFailure(`${shortName(ours)}: ${said.why}`, { advice: said.advice, output });
    }
    const counts = 'counts' in said ? said.counts : {};
    const figures = Object.entries(counts).map(([what, count]) => `${what} ${count}`);
    const summary = `${shortName(ours)}: ${figures.length === 0 ? 'ended as expected' : figures.join(', ')}`;
    return { summary, counts, output };
  }

  /**
   * `failed_to_acquire_lock` may mean that somebody has the lock, that it has no database, or that the functions
   * are not there. The latter two were ruled out right before, over the session of this run; what is left is told.
   */
  async function skipped(ours: CommandArgs, reason: string, output: string, { database }: JobContext) {
    const what = `${shortName(ours)} did nothing (${reason})`;
    if (reason !== 'failed_to_acquire_lock') {
      return new JobSkipped(`${what}.`, { advice: 'The program decided so; its output says more.', output });
    }
    // An error here is that of a database that went away, and is told as such.
    const [held] = await listLocks(database, lock);
    if (held !== undefined && !held.stale) {
      const until = new Date(held.expiresAt).toISOString();
      return new JobSkipped(
        `${what}: ${held.holder} has the lock ${lock}, until ${until} unless it is extended.`,
        {
          advice: '`/m10 locks` shows every lock with its holder.',
          output,
        },
      );
    }
    return new JobFailure(
      `${what}, and the lock ${lock} is free: the program does not reach the database that the bot reaches.`,
      {
        advice:
          'Check that it reads DATABASE_URL, and that it reaches the server from its directory and environment. A lock that was given back at that very moment looks the same, and then the next run is fine.',
        output,
      },
    );
  }

  return { name, lock, ttlSeconds, needs, locksItself: true, run };
}
