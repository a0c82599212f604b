import { z } from 'zod';
import type { Connection, Database } from '../clients/postgres.js';
import { alarms, type JobFacts, type OutboxFacts } from '../runbook/jobs/alarms.js';
import { type JobName, jobNames } from '../runbook/jobs/names.js';
import type { JobRuns } from '../store/job-runs.js';
import type { JobsJournal } from '../store/jobs.js';
import type { Leases } from '../store/leases.js';
import type { JobLog } from './job.js';
import type { Ticks } from './ticks.js';

export interface Watch {
  /**
   * Looks at the health of all jobs and journals what people should be told, in one replica at a time.
   * @returns whether it is this one
   */
  round(): Promise<boolean>;
  close(): Promise<void>;
}

const keepRunsMs = 30 * 24 * 3_600_000;
const pruneEveryMs = 3_600_000;

/** Watches how the jobs do, in one replica of all. */
export function createWatch(deps: {
  readonly journal: JobsJournal;
  readonly runs: JobRuns;
  readonly leases: Leases;
  readonly owner: string;
  /** How long the replica that watches keeps the watch without a sign of life, ms. */
  readonly leaseMs: number;
  readonly ticks: ReadonlyMap<JobName, Ticks>;
  readonly timeoutOf: (job: JobName) => number;
  readonly outboxLimit: OutboxFacts['limit'];
  readonly connect: (applicationName: string) => Promise<Connection>;
  readonly now: () => number;
  readonly log: JobLog;
}): Watch {
  const { journal, runs, leases, owner, now, log } = deps;
  const lease = `jobs:${journal.target}:watch`;
  const since = now();
  let prunedAt = 0;
  let session: Database | null = null;
  let epoch: number | null = null;

  async function round(): Promise<boolean> {
    const answer = await leases.acquire(lease, owner, deps.leaseMs);
    epoch = answer.kind === 'granted' ? answer.epoch : null;
    if (epoch === null) return false;
    const { state } = await journal.load();
    // Nothing was ever switched on here, and nobody waits for anything.
    if (state.lastRequest === 0 && jobNames.every((job) => state.resumedAt[job] === null)) return false;
    const [health, outbox] = await Promise.all([runs.health(), outboxFacts()]);
    const facts = [...deps.ticks].map(
      ([job, ticks]): JobFacts => ({
        job,
        health: health[job],
        intervalMs: intervalOf(ticks, now()),
        timeoutMs: deps.timeoutOf(job),
        watchedSince: since,
        outbox: job === 'outbox-processor' ? outbox : null,
      }),
    );
    // First without a look at the newest state, since there is mostly nothing to say.
    if (alarms(state, facts, now()).length > 0) {
      await journal.execute((fresh, at) => ({ kind: 'accepted', events: alarms(fresh, facts, at) }));
    }
    await prune();
    return true;
  }

  async function prune(): Promise<void> {
    if (now() - prunedAt < pruneEveryMs) return;
    prunedAt = now();
    const count = await runs.prune(keepRunsMs);
    if (count > 0) log.info({ count }, 'deleted old records of job runs');
  }

  /** null when the outbox is not there or cannot be read: its failures are told by the job that reads it. */
  async function outboxFacts(): Promise<OutboxFacts | null> {
    try {
      if (session === null) {
        const connection = await deps.connect('m10bot jobs watch');
        if (connection.kind !== 'connected') return null;
        session = connection.database;
      }
      const [row] = await session.rows(Outbox, OUTBOX);
      return row === undefined ? null : { ...row, limit: deps.outboxLimit };
    } catch {
      await session?.close();
      session = null;
      return null;
    }
  }

  return {
    round,
    async close() {
      await session?.close();
      if (epoch !== null) await leases.release(lease, owner, epoch).catch(() => undefined);
    },
  };
}

/**
 * The longest time between two moments of a schedule about now: of the three that are over and the one that goes
 * on, so that a schedule for working hours is not late on every Monday.
 */
export function intervalOf(ticks: Pick<Ticks, 'next' | 'previous'>, now: number): number {
  const moments = [ticks.next(now) ?? Number.MAX_SAFE_INTEGER];
  for (let at: number | null = ticks.previous(now); at !== null && moments.length < 5; ) {
    moments.push(at);
    at = ticks.previous(at - 1_000);
  }
  return Math.max(...moments.slice(1).map((moment, i) => (moments[i] ?? moment) - moment));
}

const Outbox = z.object({ pending: z.number(), lagMs: z.number() });

const OUTBOX = `select count(*)::float8 as pending,
    coalesce(greatest(extract(epoch from now() - min(created_at)), 0) * 1000, 0)::float8 as "lagMs"
  from m10_recovery.outbox where processed_at is null`;
