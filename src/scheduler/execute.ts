import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { type Connection, connect as connectTo, type Database } from '../clients/postgres.js';
import { openRedis } from '../clients/redis-connection.js';
import type { TargetConfig } from '../config.js';
import type { JobReport } from '../runbook/jobs/port.js';
import type { JobRunStart, JobRuns } from '../store/job-runs.js';
import { finishReliably } from './finish.js';
import { type Job, type JobContext, JobFailure, type JobLog, JobSkipped } from './job.js';
import type { Leader, Leadership } from './leader.js';
import { missingNeeds } from './needs.js';
import { led, noRun, stateGone, waiting } from './not-run.js';
import type { JobObserver } from './observe.js';
import { type Ending, failureOf, nothing, unreachable, type Verdict, verdictOf } from './report.js';
import { runToItsEnd } from './supervise.js';

export interface Execution extends Pick<JobRunStart, 'tick' | 'trigger' | 'by' | 'dryRun'> {
  readonly job: Job;
  /** ms */
  readonly timeoutMs: number;
  /** Aborted to end the run before its next batch; the reason is a sentence without its full stop. */
  readonly signal: AbortSignal;
  /** How long it waits for a lock that somebody else has, ms. */
  readonly patienceMs: number;
  /** Asked once the lock is ours: null to go on, or how a run ends that may not begin. */
  readonly unwanted?: () => Promise<Verdict | null>;
  /** Runs only when a former run of the job broke off in the middle, whose end it then notes as lost. */
  readonly onlyAfterBroken?: boolean;
  /** Leaves no record of a run that was skipped, or that did nothing. */
  readonly quiet?: boolean;
}

/** `taken`: another replica has this tick, or nothing broke off. `settled`: it did not come to a run. */
export type Election =
  | { readonly kind: 'elected'; run(): Promise<JobReport> }
  | { readonly kind: 'settled'; readonly report: JobReport }
  | { readonly kind: 'taken' };

export interface Executor {
  /**
   * Claims the tick, looks whether what the job needs is there, and takes its lock. The one that is elected runs
   * the job by `run`, which never throws, and must be called.
   * @throws when the bot's own database cannot be asked: then nothing was claimed
   */
  elect(execution: Execution): Promise<Election>;
  /** Both together. @returns null when the tick was taken */
  execute(execution: Execution): Promise<JobReport | null>;
  /** A session of its own on the target. */
  connect(applicationName: string, statementTimeoutMs?: number): Promise<Connection>;
}

/** A job must not queue for long behind a change of the schema, and make others queue behind itself. */
const lockTimeoutMs = 10_000;
const connectTimeoutMs = 5_000;
/** From a run's record to its question for the lock it takes no longer than this, ms. */
const beginningMs = 60_000;

/** Runs jobs on one target, each under its lock, and keeps a record of every run. */
export function createExecutor(deps: {
  readonly target: TargetConfig;
  readonly runs: JobRuns;
  readonly leader: Leader;
  readonly owner: string;
  readonly redact: (text: string) => string;
  readonly observer: JobObserver;
  readonly log: JobLog;
  readonly now: () => number;
  /** After a run was told to stop: when its statement is cancelled, and when it is given up, ms. */
  readonly grace?: { readonly cancelMs: number; readonly giveUpMs: number };
}): Executor {
  const { target, runs, leader, owner, redact, observer, log } = deps;
  const grace = deps.grace ?? { cancelMs: 15_000, giveUpMs: 45_000 };

  function connect(applicationName: string, statementTimeoutMs = 10_000): Promise<Connection> {
    return connectTo({
      url: target.databaseUrl,
      applicationName: applicationName.slice(0, 63),
      statementTimeoutMs,
      lockTimeoutMs,
      connectTimeoutMs,
    });
  }

  async function elect(execution: Execution): Promise<Election> {
    const { job } = execution;
    const started = performance.now();
    // A tick is claimed by its record, before anything else; any other run is recorded once it comes to something.
    let row = execution.tick === null ? null : await begin(execution);
    if (row === null && execution.tick !== null) return { kind: 'taken' };

    async function settle(verdict: Verdict): Promise<JobReport> {
      const report = { ...redacted(verdict), durationMs: performance.now() - started };
      if (execution.quiet !== true || didSomething(report)) row ??= await begin(execution).catch(unrecorded);
      if (row !== null) await finishReliably(runs, row, report, log);
      observer.jobRun(job.name, report.outcome, report.durationMs / 1_000);
      tell(execution, report);
      return report;
    }

    let session: Database | undefined;
    let leadership: Leadership | null = null;
    const close = async () => {
      if (session !== undefined) await release(session, leadership);
      await session?.close();
    };
    const no = async (verdict: Verdict): Promise<Election> => {
      await close();
      if (execution.onlyAfterBroken === true && row === null) return { kind: 'taken' };
      return { kind: 'settled', report: await settle(verdict) };
    };

    let asking: 'target' | 'state' = 'target';
    try {
      const connection = await connect(`m10bot job ${job.name}`, execution.timeoutMs);
      if (connection.kind !== 'connected') return await no(unreachable(connection.message));
      session = connection.database;
      const [missing = []] = await missingNeeds(session, [job.needs]);
      if (missing.length > 0) return await no(waiting(missing));
      const taken = job.locksItself === true ? null : await take(session, execution);
      if (taken?.kind === 'follows') return await no(led(job, taken.leader));
      leadership = taken;
      asking = 'state';
      // Under the lock it is known that no other run is alive; one that has only begun may be about to ask for it.
      const before = row ?? Number.MAX_SAFE_INTEGER;
      const broken = taken === null ? 0 : await runs.abandon(job.name, before, beginningMs);
      if (execution.onlyAfterBroken === true && broken === 0) return await no(noRun);
      if (execution.quiet !== true) row ??= await begin(execution);
      const unwanted = (await execution.unwanted?.()) ?? null;
      if (unwanted !== null) return await no(unwanted);
      const why = stopped(execution.signal);
      if (why !== null) return await no({ ...nothing, outcome: 'skipped', summary: `Not run: ${why}.` });
    } catch (error) {
      return no(asking === 'target' ? failureOf(error) : stateGone(error));
    }
    const database = session;
    return {
      kind: 'elected',
      async run() {
        const { ending, stop } = await perform(execution, database, leadership);
        const verdict = verdictOf(job.name, ending, stop);
        if (ending.kind === 'threw' && !isTold(ending.error)) {
          log.warn({ error: ending.error, job: job.name }, 'a job ended with an error');
        }
        await close();
        return settle(verdict);
      },
    };
  }

  async function begin(execution: Execution): Promise<number | null> {
    const { job, tick, trigger, by, dryRun } = execution;
    return runs.begin({ job: job.name, tick, trigger, by, dryRun, owner });
  }

  function unrecorded(error: unknown): null {
    log.warn({ error }, 'a run of a job could not be recorded');
    return null;
  }

  async function take(session: Database, { job, patienceMs, signal }: Execution) {
    const until = performance.now() + patienceMs;
    for (;;) {
      const answer = await leader.take(session, job.lock, job.ttlSeconds);
      if (answer.kind === 'leads') {
        observer.lock(job.lock, 'acquired');
        return { ...answer, since: performance.now() };
      }
      const left = until - performance.now();
      if (left <= 0 || signal.aborted) {
        observer.lock(job.lock, 'failed');
        return answer;
      }
      await sleep(Math.min(250, left), undefined, { signal }).catch(() => undefined);
    }
  }

  async function release(session: Database, leadership: (Leadership & { since?: number }) | null) {
    if (leadership === null) return;
    // A lock that was lost is somebody else's, or nobody's: it is not given back.
    const ours = !leadership.lost.aborted;
    await leadership.release(session);
    if (!ours) return;
    const held = leadership.since === undefined ? undefined : (performance.now() - leadership.since) / 1_000;
    observer.lock(leadership.lock.name, 'released', held);
  }

  async function perform(execution: Execution, database: Database, leadership: Leadership | null) {
    const { job, timeoutMs, dryRun } = execution;
    let redis: Promise<Redis> | undefined;
    const openOnce = () => {
      redis ??= openOf(job);
      return redis;
    };
    const { ending, stop } = await runToItsEnd({
      lost: leadership?.lost ?? null,
      told: execution.signal,
      timeoutMs,
      grace,
      work: async (signal): Promise<Ending> => {
        const context: JobContext = {
          redact,
          target,
          database,
          redis: openOnce,
          lock: leadership?.lock ?? { name: job.lock, holder: '', held: () => !signal.aborted },
          signal,
          dryRun,
          now: deps.now,
          log,
        };
        try {
          const { summary, counts, output } = await job.run(context);
          return { kind: 'returned', summary, counts, output: output ?? '' };
        } catch (error) {
          return { kind: 'threw', error };
        }
      },
      cancel: () => cancelStatement(database.backendPid),
    });
    redis?.then(
      (client) => client.disconnect(),
      () => undefined,
    );
    return { ending, stop };
  }

  async function openOf(job: Job): Promise<Redis> {
    const { redisUrl } = target;
    if (redisUrl === null) {
      throw new JobFailure(`${job.name} needs Redis, and ${target.name} has none configured.`, {
        advice: `Set \`redis-url\` of the target ${target.name} in m10.yml, and start the bot again.`,
      });
    }
    try {
      return await openRedis({ ...target, redisUrl }, `m10bot job ${job.name}`);
    } catch (cause) {
      const { summary, advice } = failureOf(cause);
      throw new JobFailure(summary, { advice, cause });
    }
  }

  async function cancelStatement(pid: number): Promise<void> {
    const connection = await connect('m10bot cancel');
    if (connection.kind !== 'connected') return;
    try {
      await connection.database.query('select pg_cancel_backend($1)', [pid]);
    } finally {
      await connection.database.close();
    }
  }

  function redacted(verdict: Verdict): Verdict {
    return {
      outcome: verdict.outcome,
      counts: verdict.counts,
      summary: redact(verdict.summary),
      output: redact(verdict.output),
      advice: redact(verdict.advice),
    };
  }

  function tell({ job, trigger, tick }: Execution, report: JobReport): void {
    const { outcome, summary, counts, durationMs } = report;
    const fields = { job: job.name, outcome, trigger, tick, counts, durationMs: Math.round(durationMs) };
    if (outcome === 'failed' || outcome === 'lost') log.warn(fields, summary);
    else log.info(fields, summary);
  }

  return {
    elect,
    connect,
    async execute(execution) {
      const election = await elect(execution);
      if (election.kind === 'taken') return null;
      return election.kind === 'settled' ? election.report : election.run();
    },
  };
}

/** Whether the job said itself what happened. */
const isTold = (error: unknown) => error instanceof JobFailure || error instanceof JobSkipped;

function didSomething({ outcome, counts }: JobReport): boolean {
  if (outcome === 'skipped') return false;
  return outcome !== 'passed' || Object.values(counts).some((count) => count !== 0);
}

function stopped(signal: AbortSignal): string | null {
  return signal.aborted ? String(signal.reason) : null;
}
