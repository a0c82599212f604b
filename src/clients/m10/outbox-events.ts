import { z } from 'zod';
import type { Database, Queryable } from '../postgres.js';

/** Events of `m10_recovery.outbox` for people: what waits, what failed, and making one due again. */

/** How the error of an event begins that was given up. */
const dead = "o.processed_at IS NOT NULL AND o.last_error LIKE 'Dead letter after %'";

const Event = z
  .object({
    id: z.coerce.number<string>(),
    type: z.string(),
    aggregate: z.string(),
    tries: z.number(),
    error: z.string().nullable(),
    age: z.number(),
    done: z.boolean(),
    dead: z.boolean(),
    left: z.number().nullable(),
  })
  .transform(({ age, done, dead: given, left, ...event }) => ({
    ...event,
    ageMs: age,
    state: given ? ('dead' as const) : done ? ('delivered' as const) : stateOf(left),
    inMs: done || left === null || left <= 0 ? null : left,
  }));
export type OutboxEventSeen = z.infer<typeof Event>;

const columns = `o.id, o.event_type AS type, o.aggregate_type || ' ' || o.aggregate_id AS aggregate,
  o.retry_count AS tries, left(o.last_error, 1000) AS error,
  (extract(epoch FROM clock_timestamp() - o.created_at) * 1000)::float8 AS age,
  o.processed_at IS NOT NULL AS done, coalesce(${dead}, false) AS dead,
  (extract(epoch FROM o.next_retry_at - clock_timestamp()) * 1000)::float8 AS "left"`;

function stateOf(left: number | null): 'due' | 'waits' {
  return left === null || left <= 0 ? 'due' : 'waits';
}

export async function outboxEvent(database: Queryable, id: number): Promise<OutboxEventSeen | null> {
  const [row] = await database.rows(
    Event,
    `SELECT ${columns} FROM m10_recovery.outbox AS o WHERE o.id = $1`,
    [id],
  );
  return row ?? null;
}

/** What failed last: pending events that failed, and those that were given up. Newest first. */
export function outboxFailures(database: Queryable, limit: number): Promise<OutboxEventSeen[]> {
  return database.rows(
    Event,
    `SELECT ${columns} FROM m10_recovery.outbox AS o
      WHERE o.last_error IS NOT NULL AND (o.processed_at IS NULL OR ${dead})
      ORDER BY coalesce(o.processed_at, o.next_retry_at, o.created_at) DESC, o.id DESC LIMIT $1`,
    [limit],
  );
}

const Totals = z.object({
  pending: z.number(),
  due: z.number(),
  retrying: z.number(),
  lagMs: z.number().nullable(),
  dead: z.number(),
});
const Type = z.object({
  type: z.string(),
  pending: z.number(),
  retrying: z.number(),
  oldestMs: z.number(),
  tries: z.number(),
  types: z.number(),
});

/** What waits in the outbox, in all and by type. @param types how many types, the most pending first */
export async function outboxTotals(database: Queryable, types: number) {
  const [totals] = await database.rows(
    Totals,
    `SELECT count(*) FILTER (WHERE o.processed_at IS NULL)::float8 AS pending,
            count(*) FILTER (WHERE o.processed_at IS NULL
              AND (o.next_retry_at IS NULL OR o.next_retry_at <= clock_timestamp()))::float8 AS due,
            count(*) FILTER (WHERE o.processed_at IS NULL AND o.retry_count > 0)::float8 AS retrying,
            (extract(epoch FROM clock_timestamp() - min(o.created_at) FILTER (WHERE o.processed_at IS NULL))
              * 1000)::float8 AS "lagMs",
            count(*) FILTER (WHERE ${dead})::float8 AS dead
       FROM m10_recovery.outbox AS o`,
  );
  const byType = await database.rows(
    Type,
    `SELECT event_type AS type, count(*)::float8 AS pending,
            count(*) FILTER (WHERE retry_count > 0)::float8 AS retrying,
            (extract(epoch FROM clock_timestamp() - min(created_at)) * 1000)::float8 AS "oldestMs",
            max(retry_count) AS tries, count(*) OVER ()::float8 AS types
       FROM m10_recovery.outbox WHERE processed_at IS NULL
      GROUP BY event_type ORDER BY pending DESC, event_type LIMIT $1`,
    [types],
  );
  return {
    ...(totals ?? { pending: 0, due: 0, retrying: 0, lagMs: null, dead: 0 }),
    types: byType.map(({ types: _, ...type }) => type),
    otherTypes: (byType[0]?.types ?? 0) - byType.length,
  };
}

export type Retried =
  | { readonly kind: 'due'; readonly was: 'waits' | 'due' | 'dead' }
  | { readonly kind: 'delivered' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'replaced'; readonly by: number };

/**
 * Makes an event due at once. One that was given up comes back with all its tries, under its own id: whoever keeps
 * what was delivered by that id still knows it. One that a processor has in hand at this moment may go twice.
 * @throws the driver's error; 42501 when the role lacks UPDATE
 */
export async function retryEvent(database: Database, id: number): Promise<Retried> {
  return database.transaction(async (inside): Promise<Retried> => {
    // Waits for whoever is about to change it, as long as the session's lock_timeout lets it.
    await inside.query('SELECT 1 FROM m10_recovery.outbox WHERE id = $1 FOR UPDATE', [id]);
    const event = await outboxEvent(inside, id);
    if (event === null) return { kind: 'gone' };
    switch (event.state) {
      case 'delivered':
        return { kind: 'delivered' };
      case 'due':
        return { kind: 'due', was: 'due' };
      case 'waits':
        await inside.query('UPDATE m10_recovery.outbox SET next_retry_at = NULL WHERE id = $1', [id]);
        return { kind: 'due', was: 'waits' };
      case 'dead':
        return revive(inside, id);
    }
  });
}

async function revive(inside: Queryable, id: number): Promise<Retried> {
  const [younger] = await inside.rows(
    z.object({ id: z.coerce.number<string>() }),
    `SELECT p.id FROM m10_recovery.outbox AS o JOIN m10_recovery.outbox AS p
         ON p.aggregate_type = o.aggregate_type AND p.aggregate_id = o.aggregate_id
        AND p.event_type = o.event_type AND p.processed_at IS NULL
      WHERE o.id = $1`,
    [id],
  );
  if (younger !== undefined) return { kind: 'replaced', by: younger.id };
  await inside.query(
    `UPDATE m10_recovery.outbox
        SET processed_at = NULL, processed_by = NULL, next_retry_at = NULL, retry_count = 0,
            last_error = regexp_replace(last_error, '^Dead letter after [^:]*: ', '')
      WHERE id = $1`,
    [id],
  );
  return { kind: 'due', was: 'dead' };
}
