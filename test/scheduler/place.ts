import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { TargetConfig } from '../../src/config.js';
import { type JobsConfig, JobsFile, jobsConfig } from '../../src/config-jobs.js';
import type { JobName } from '../../src/runbook/jobs/names.js';
import type { JobCovers } from '../../src/runbook/jobs/port.js';
import { createExecutor, type Executor } from '../../src/scheduler/execute.js';
import type { Job, JobContext, JobLog, JobResult } from '../../src/scheduler/job.js';
import { createLeader } from '../../src/scheduler/leader.js';
import { noObserver } from '../../src/scheduler/observe.js';
import { createScheduler, type Scheduler, type SchedulerPace } from '../../src/scheduler/scheduler.js';
import { createJobRuns, type JobRuns } from '../../src/store/job-runs.js';
import { createJobsJournal, type JobsJournal } from '../../src/store/jobs.js';
import { createJournal } from '../../src/store/journal.js';
import { createLeases } from '../../src/store/leases.js';
import { createListener } from '../../src/store/notify.js';
import { createPool } from '../../src/store/pool.js';
import { after, createWorld, sql, type World } from '../checks/world.js';
import { type StateDatabase, stateDatabase } from '../store/state.js';

/** One target at 022 and one database of the bot for a file of tests; locks, runs and streams are each test's own. */
export interface Place {
  readonly world: World;
  readonly target: TargetConfig;
  readonly state: StateDatabase;
  /** The jobs' stream and the runs of this test. */
  readonly journal: JobsJournal;
  readonly runs: JobRuns;
  /** One replica of the bot: what it needs to run jobs. */
  replica(given?: Partial<ReplicaOptions>): Replica;
  /** Runs one statement on the target. */
  sql(text: string): Promise<Record<string, unknown>[]>;
}

export interface ReplicaOptions {
  readonly jobs: readonly Job[];
  readonly config: object;
  readonly databaseUrl: string;
  /** The bot's own database by another way. */
  readonly stateUrl: string;
  readonly monotonic: () => number;
  readonly pace: Partial<SchedulerPace>;
  readonly now: () => number;
  readonly grace: { readonly cancelMs: number; readonly giveUpMs: number };
  readonly redact: (text: string) => string;
  /** What each job does; what was approved when not given. */
  readonly covers: (job: JobName) => Promise<JobCovers>;
}

/** What a job of a test does, as it was approved. */
export const asApproved = { program: 'as approved' };

/** An approval of the schedules of these jobs as they are when nothing else is said. */
export const approvalOf = (jobs: readonly JobName[], by = 'UALICE') => ({
  jobs,
  by,
  reason: '',
  via: 'command' as const,
  approval: { run: 7, gate: 2, approvers: ['UBOB'] },
  parts: Object.fromEntries(jobs.map((job) => [job, asApproved])),
});

export interface Replica {
  readonly owner: string;
  readonly holder: string;
  readonly executor: Executor;
  readonly scheduler: Scheduler;
  readonly config: JobsConfig;
  readonly lines: string[];
}

export function usePlace(): Place {
  let world: World;
  let state: StateDatabase;
  let target: TargetConfig;
  let name = '';
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    world = await createWorld();
    const [database, own] = await Promise.all([world.databaseAt(after), stateDatabase()]);
    state = own;
    target = world.target({ databaseUrl: database.url });
  });
  beforeEach(async () => {
    // The journal cannot be emptied, so each test has a target's name of its own.
    name = `t-${randomBytes(4).toString('hex')}`;
    await sql(target.databaseUrl, 'truncate m10_recovery.distributed_locks');
  });
  afterEach(async () => {
    await Promise.all(ends.splice(0).map((end) => end()));
  });
  afterAll(async () => {
    await state?.drop();
    await world?.drop();
  });

  const journalOf = (pool = state.pool) =>
    createJobsJournal({ journal: createJournal(pool), target: name, now: Date.now });

  return {
    get world() {
      return world;
    },
    get target() {
      return { ...target, name };
    },
    get state() {
      return state;
    },
    get journal() {
      return journalOf();
    },
    get runs() {
      return createJobRuns(state.pool, name);
    },
    sql: (text) => sql(target.databaseUrl, text),
    replica(given = {}) {
      const owner = `test:${process.pid}:${randomBytes(4).toString('hex')}`;
      const holder = `m10bot:${owner}`;
      const lines: string[] = [];
      const text = (_: string, value: unknown) => (value instanceof Error ? value.stack : value);
      const write = (fields: object, message: string) =>
        lines.push(`${message} ${JSON.stringify(fields, text)}`);
      const log: JobLog = { info: write, warn: write, error: write };
      const pool =
        given.stateUrl === undefined
          ? state.pool
          : createPool({ url: given.stateUrl, max: 5, applicationName: owner, onError: () => {} });
      const runs = createJobRuns(pool, name);
      const journal = journalOf(pool);
      const executor: Executor = createExecutor({
        target: { ...target, name, databaseUrl: given.databaseUrl ?? target.databaseUrl },
        runs,
        leader: createLeader({ holder, connect: (as) => executor.connect(as), log }),
        owner,
        redact: given.redact ?? ((text) => text),
        observer: noObserver,
        log,
        now: Date.now,
        ...(given.grace === undefined ? {} : { grace: given.grace }),
      });
      const config = jobsConfig(JobsFile.parse({ target: name, ...given.config }));
      const scheduler = createScheduler({
        config,
        jobs: given.jobs ?? [],
        journal,
        runs,
        leases: createLeases(pool),
        executor,
        covers: given.covers ?? (async () => ({ kind: 'read', parts: asApproved })),
        owner,
        log,
        now: given.now ?? Date.now,
        ...(given.monotonic === undefined ? {} : { monotonic: given.monotonic }),
        pace: { watchMs: 1_000, ...given.pace },
      });
      const listener = createListener({ url: state.url, onPosition: () => scheduler.wake() });
      ends.push(async () => {
        await listener.close();
        await scheduler.stop();
        if (pool !== state.pool) await pool.end();
      });
      return { owner, holder, executor, scheduler, config, lines };
    },
  };
}

/** A job that does what a test says, under a lock of its own. */
export function jobThat(
  run: (context: JobContext) => Promise<Partial<JobResult> | undefined> | Promise<void>,
  given: Partial<Job> & { readonly name?: JobName } = {},
): Job {
  return {
    name: 'reclaim-gc',
    lock: 'm10:reclaim_gc',
    ttlSeconds: 30,
    needs: { tables: {}, calls: {}, privileges: {} },
    ...given,
    run: async (context) => ({ summary: 'Did it.', counts: {}, ...(await run(context)) }),
  };
}

/** Settles when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve());
  });
}
