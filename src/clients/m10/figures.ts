import { z } from 'zod';
import { attempt, SQLSTATE } from '../postgres/failure.js';
import type { Queryable } from '../postgres.js';

/** Figures of the M10 objects, for the metrics. Each one is a single short statement that changes nothing. */

/** A figure; `absent`: what it is read from is not there, as before revision 022. */
export type Figure<T> =
  | { readonly kind: 'read'; readonly value: T }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly why: string };

const Outbox = z.object({
  pending: z.number(),
  lag: z.number(),
  retries: z.number(),
  due: z.number(),
  dueLag: z.number(),
});
/** Counts, and ages in seconds; an age is 0 when there is nothing to be old. */
export type OutboxFigures = z.infer<typeof Outbox>;

export interface DatabaseFigures {
  /** Whether every table of revision 022 is there. */
  readonly hardened: Figure<boolean>;
  readonly outbox: Figure<OutboxFigures>;
  /** Names of the locks that are held and not expired. */
  readonly locks: Figure<readonly string[]>;
  readonly archived: Figure<number>;
  /** Since the last refresh that worked, seconds. A view that was never refreshed is not among them. */
  readonly views: Figure<readonly { readonly view: string; readonly age: number }[]>;
}

/** Reads all of them, one after another on one session; one that fails does not stop the others. */
export async function readFigures(database: Queryable): Promise<DatabaseFigures> {
  return {
    hardened: await figure(() => readHardened(database)),
    outbox: await figure(() => readOutbox(database)),
    locks: await figure(() => readLocks(database)),
    archived: await figure(() => readArchived(database)),
    views: await figure(() => readViews(database)),
  };
}

const notThere: readonly string[] = [SQLSTATE.undefinedTable, SQLSTATE.invalidSchema];

/** @throws when the connection is lost, for then nothing can be read */
export async function figure<T>(read: () => Promise<T>): Promise<Figure<T>> {
  const result = await attempt(read);
  if (result.kind === 'ok') return { kind: 'read', value: result.value };
  if (result.kind === 'connection_lost') throw new Error(result.message);
  return notThere.includes(result.code) ? { kind: 'absent' } : { kind: 'failed', why: result.message };
}

async function readHardened(database: Queryable): Promise<boolean> {
  const rows = await database.rows(
    z.object({ there: z.boolean() }),
    `select bool_and(to_regclass('m10_recovery.' || name) is not null) as there
       from unnest(array['distributed_locks', 'replay_log', 'dead_letter_archive', 'outbox']) as name`,
  );
  return rows[0]?.there === true;
}

async function readOutbox(database: Queryable): Promise<OutboxFigures> {
  const rows = await database.rows(
    Outbox,
    `select count(*)::float8 as pending,
            coalesce(greatest(extract(epoch from now() - min(created_at)), 0), 0)::float8 as lag,
            coalesce(sum(retry_count), 0)::float8 as retries,
            (count(*) filter (where next_retry_at is null or next_retry_at <= now()))::float8 as due,
            coalesce(greatest(extract(epoch from now() - min(greatest(created_at, next_retry_at))
              filter (where next_retry_at is null or next_retry_at <= now())), 0), 0)::float8 as "dueLag"
       from m10_recovery.outbox where processed_at is null`,
  );
  return rows[0] ?? { pending: 0, lag: 0, retries: 0, due: 0, dueLag: 0 };
}

async function readLocks(database: Queryable): Promise<readonly string[]> {
  const rows = await database.rows(
    z.object({ name: z.string() }),
    'select lock_name as name from m10_recovery.distributed_locks where expires_at > now() order by 1',
  );
  return rows.map(({ name }) => name);
}

async function readArchived(database: Queryable): Promise<number> {
  const rows = await database.rows(
    z.object({ count: z.number() }),
    'select count(*)::float8 as count from m10_recovery.dead_letter_archive',
  );
  return rows[0]?.count ?? 0;
}

async function readViews(database: Queryable): Promise<readonly { view: string; age: number }[]> {
  return database.rows(
    z.object({ view: z.string(), age: z.number() }),
    `select view_name as view, greatest(age_seconds, 0)::float8 as age
       from m10_recovery.matview_freshness where age_seconds is not null order by 1`,
  );
}
