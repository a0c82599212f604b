import { z } from 'zod';
import type { Queryable } from '../postgres.js';

/** A row of `m10_recovery.distributed_locks`. */
export interface M10Lock {
  readonly name: string;
  readonly holder: string;
  /** ms since the epoch, by the target's clock. */
  readonly acquiredAt: number;
  /** ms since the epoch, by the target's clock; each extension moves it. */
  readonly expiresAt: number;
  readonly metadata: unknown;
  /** How long the holder has had it, ms. */
  readonly ageMs: number;
  /** How long until it expires, ms; negative once it has. */
  readonly leftMs: number;
  /** Expired: whoever asks next gets it. */
  readonly stale: boolean;
}

const Answer = z.object({ done: z.boolean() });

/** The statements that ask for locks. */
export const lockCalls = {
  acquire_lock: 'select m10_recovery.acquire_lock($1, $2, $3) as done',
  extend_lock: 'select m10_recovery.extend_lock($1, $2, $3) as done',
  release_lock: 'select m10_recovery.release_lock($1, $2) as done',
} as const;

async function ask(database: Queryable, sql: string, parameters: readonly unknown[]): Promise<boolean> {
  const [row] = await database.rows(Answer, sql, parameters);
  return row?.done === true;
}

/**
 * Takes a lock that is free, expired, or the holder's own already.
 * @param ttlSeconds whole seconds
 * @returns false when somebody else has it
 */
export function acquireLock(
  database: Queryable,
  name: string,
  holder: string,
  ttlSeconds: number,
): Promise<boolean> {
  return ask(database, lockCalls.acquire_lock, [name, holder, ttlSeconds]);
}

/**
 * Lets a lock last `ttlSeconds` from now.
 * @returns false when it expired or is somebody else's
 */
export function extendLock(
  database: Queryable,
  name: string,
  holder: string,
  ttlSeconds: number,
): Promise<boolean> {
  return ask(database, lockCalls.extend_lock, [name, holder, ttlSeconds]);
}

/** Gives a lock back. @returns false when it is not the holder's */
export function releaseLock(database: Queryable, name: string, holder: string): Promise<boolean> {
  return ask(database, lockCalls.release_lock, [name, holder]);
}

const Row = z.object({
  name: z.string(),
  holder: z.string(),
  acquired: z.date(),
  expires: z.date(),
  metadata: z.unknown(),
  age: z.number(),
  remaining: z.number(),
});

/** Every lock there is, by name; with a name that one alone. */
export async function listLocks(database: Queryable, name: string | null = null): Promise<M10Lock[]> {
  const rows = await database.rows(
    Row,
    `select lock_name as name, holder_id as holder, acquired_at as acquired, expires_at as expires, metadata,
            (extract(epoch from clock_timestamp() - acquired_at) * 1000)::float8 as age,
            (extract(epoch from expires_at - clock_timestamp()) * 1000)::float8 as remaining
       from m10_recovery.distributed_locks where $1::text is null or lock_name = $1 order by lock_name`,
    [name],
  );
  return rows.map((row) => ({
    name: row.name,
    holder: row.holder,
    acquiredAt: row.acquired.getTime(),
    expiresAt: row.expires.getTime(),
    metadata: row.metadata,
    ageMs: row.age,
    leftMs: row.remaining,
    stale: row.remaining <= 0,
  }));
}

/** The statement that removes what has expired. */
export const cleanupCall = 'select m10_recovery.cleanup_expired_locks() as count';

/** Removes the rows of locks that have expired. @returns how many there were */
export async function cleanupExpiredLocks(database: Queryable): Promise<number> {
  const [row] = await database.rows(z.object({ count: z.coerce.number() }), cleanupCall);
  return row?.count ?? 0;
}

export type ForeignRelease =
  | { readonly kind: 'released' }
  /** The lock is not as it was seen: `now` is how it stands, or null when it is gone. */
  | { readonly kind: 'changed'; readonly now: M10Lock | null };

/**
 * Takes a lock away from the holder that was seen to have it. Nothing happens when the lock has gone to somebody
 * else since, or was given back and taken anew.
 * @param acquiredAt ms since the epoch, as it was seen; undefined to look at the holder alone
 * @throws the driver's error; 42501 when the role lacks DELETE on `m10_recovery.distributed_locks`
 */
export async function releaseForeign(
  database: Queryable,
  name: string,
  holder: string,
  acquiredAt?: number,
): Promise<ForeignRelease> {
  const { rowCount } = await database.query(
    `delete from m10_recovery.distributed_locks
      where lock_name = $1 and holder_id = $2
        and ($3::timestamptz is null or date_trunc('milliseconds', acquired_at) = $3)`,
    [name, holder, acquiredAt === undefined ? null : new Date(acquiredAt)],
  );
  if (rowCount === 1) return { kind: 'released' };
  const [now] = await listLocks(database, name);
  return { kind: 'changed', now: now ?? null };
}
