import { cleanupExpiredLocks } from '../../clients/m10/locks.js';
import {
  agingTables,
  countExpiredLocks,
  countOlderThan,
  deleteOlderThan,
  tablesWithoutDelete,
  waitForLocksAtMost,
} from '../../clients/m10/retention.js';
import { describeFailure } from '../../clients/postgres/failure.js';
import type { RetentionConfig } from '../../config-jobs.js';
import type { JobContext } from '../job.js';
import { explain } from './failure.js';
import { stopReason } from './stop.js';

/** What was done to one table. */
export interface Cleaned {
  readonly name: string;
  /** Singular and plural of what its rows are. */
  readonly rows: readonly [string, string];
  deleted: number;
  /** Rows that a run left whose time was up; null when none is left, or it is not known. */
  left: number | null;
  /** Why it is not done to its end; null when it is. */
  stopped: string | null;
  problem: { readonly message: string; readonly advice: string } | null;
}

/** One table's work: deletes a batch and says whether there may be more. */
interface Work extends Cleaned {
  readonly batch: () => Promise<boolean>;
  readonly count: () => Promise<number>;
}

const lockTimeoutMs = 2_000;
const words = {
  dead_letter_archive: ['archived dead letter', 'archived dead letters'],
  replay_log: ['replay', 'replays'],
  outbox: ['processed outbox event', 'processed outbox events'],
} as const;

/**
 * Cleans all tables, a batch of each in turn, so that a large one does not use up the time of the others.
 * @param cleaned is filled while it works, so that it tells what was done also when the connection is lost
 * @throws the driver's error when the connection is lost
 */
export async function cleanTables(
  context: Pick<JobContext, 'database' | 'dryRun' | 'lock' | 'signal'>,
  config: Omit<RetentionConfig, 'timezone'>,
  cleaned: Cleaned[],
  onDeleted: (count: number) => void,
): Promise<void> {
  const { database, dryRun } = context;
  const started = performance.now();
  await waitForLocksAtMost(database, lockTimeoutMs);
  const forbidden = await tablesWithoutDelete(database);
  const works = [...agingTables.map((name) => ageWork(name)), lockWork()];
  cleaned.push(...works);
  const timeIsUp = () => performance.now() - started >= config.budget;
  let open = works;
  while (open.length > 0) {
    const next: Work[] = [];
    for (const work of open) {
      work.stopped = stopReason(context) ?? (timeIsUp() ? 'its time is up' : null);
      if (work.stopped !== null) continue;
      if (await tried(work, dryRun ? async () => look(work) : work.batch)) next.push(work);
    }
    open = next;
  }
  // Whoever was told to stop ends at once, without counting.
  if (stopReason(context) !== null) return;
  for (const work of works) {
    if (work.stopped !== null) await tried(work, async () => leftOf(work));
  }

  function ageWork(name: (typeof agingTables)[number]): Work {
    const ageMs = {
      dead_letter_archive: config['dead-letter-archive'],
      replay_log: config['replay-log'],
      outbox: config.outbox,
    }[name];
    let from: string | null = null;
    const work: Work = {
      ...fresh(name, words[name]),
      async batch() {
        if (forbidden.has(name)) {
          work.problem = { message: 'the role may not delete from it', advice: grant(name) };
          return false;
        }
        const { deleted, last } = await deleteOlderThan(database, name, { ageMs, batch: config.batch, from });
        from = last;
        work.deleted += deleted;
        if (deleted > 0) onDeleted(deleted);
        return deleted === config.batch;
      },
      count: () => countOlderThan(database, name, ageMs),
    };
    return work;
  }

  function lockWork(): Work {
    const work: Work = {
      ...fresh('distributed_locks', ['expired lock', 'expired locks']),
      async batch() {
        work.deleted = await cleanupExpiredLocks(database);
        if (work.deleted > 0) onDeleted(work.deleted);
        return false;
      },
      count: () => countExpiredLocks(database),
    };
    return work;
  }
}

async function look(work: Work): Promise<false> {
  work.deleted = await work.count();
  return false;
}

async function leftOf(work: Work): Promise<false> {
  const left = await work.count();
  work.left = left > 0 ? left : null;
  return false;
}

/** Keeps what PostgreSQL refused as the table's problem. A lost connection is nobody's alone. */
async function tried(work: Work, does: () => Promise<boolean>): Promise<boolean> {
  try {
    return await does();
  } catch (error) {
    const failure = describeFailure(error);
    if (failure?.kind !== 'sql_error') throw error;
    const told = explain(error);
    work.problem = {
      message: told?.message ?? failure.message,
      advice: failure.code === '42501' ? grant(work.name) : (told?.advice ?? ''),
    };
    return false;
  }
}

function grant(table: string): string {
  return `As the owner: GRANT SELECT, DELETE ON m10_recovery.${table} TO the role of \`database-url\`.`;
}

function fresh(name: string, rows: readonly [string, string]): Cleaned {
  return { name, rows, deleted: 0, left: null, stopped: null, problem: null };
}
