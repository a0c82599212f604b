import { describeFailure, SQLSTATE } from '../../clients/postgres/failure.js';
import { describeRedisFailure } from '../../clients/redis-failure.js';
import { JobFailure } from '../job.js';

interface Told {
  readonly message: string;
  readonly advice: string;
}

const bySqlState: Readonly<Record<string, string>> = {
  [SQLSTATE.lockNotAvailable]:
    'Somebody else holds a lock on it. `SELECT pid, pg_blocking_pids(pid) FROM pg_stat_activity` shows who; the next run tries again.',
  [SQLSTATE.queryCanceled]:
    'The statement took longer than it may, or somebody cancelled it. Look at the load of the database; the next run tries again.',
  [SQLSTATE.insufficientPrivilege]: 'Grant the role of `database-url` what is missing.',
  [SQLSTATE.undefinedTable]: 'The schema is not at 022 any more. Look with `alembic current`.',
  [SQLSTATE.invalidSchema]: 'The schema is not at 022 any more. Look with `alembic current`.',
  '42883': 'The schema is not at 022 any more. Look with `alembic current`.',
  '25006': 'The database takes no changes, such as a standby. Let `database-url` lead to the primary.',
};

/** What PostgreSQL or Redis refused, in words; null for anything else, which is a bug. */
export function explain(error: unknown): Told | null {
  const redis = describeRedisFailure(error);
  if (redis !== null) return { message: `Redis: ${redis.message}`, advice: redis.advice };
  const postgres = describeFailure(error);
  if (postgres === null) return null;
  if (postgres.kind === 'connection_lost') {
    return {
      message: `the database connection was lost: ${postgres.message}`,
      advice:
        'Check that the database runs and can be reached; what was done until then stands, and the next run goes on.',
    };
  }
  const advice = bySqlState[postgres.code] ?? 'Look at the error, and at the log of the database.';
  return { message: `the database: ${postgres.message} (${postgres.code})`, advice };
}

/**
 * Runs the work of a job; what PostgreSQL or Redis refuses becomes a failure that says what to do.
 * @param done what was done until now, asked when it fails
 * @throws JobFailure
 */
export async function explained<T>(
  doing: string,
  done: () => Readonly<Record<string, number>>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const told = cause instanceof JobFailure ? null : explain(cause);
    if (told === null) throw cause;
    throw new JobFailure(`${doing} stopped: ${told.message}`, {
      advice: told.advice,
      counts: done(),
      cause,
    });
  }
}
