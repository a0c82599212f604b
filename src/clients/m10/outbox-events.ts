import { z } from 'zod';
import type { Database, Queryable } from '../postgres.js';
import { leasedBy, type RetryNow, retryNow } from './outbox.js';

/** Where an event of `m10_recovery.outbox` stands. */
export interface OutboxEventState {
  readonly eventType: string;
  readonly state: 'due' | 'waits' | 'delivering' | 'dead' | 'delivered';
}

export async function outboxEvent(database: Queryable, id: number): Promise<OutboxEventState | null> {
  const [row] = await database.rows(
    z.object({
      eventType: z.string(),
      done: z.boolean(),
      dead: z.boolean(),
      ahead: z.boolean(),
      leased: z.boolean(),
    }),
    `SELECT event_type AS "eventType", processed_at IS NOT NULL AS done,
            coalesce(last_error LIKE 'Dead letter %', false) AS dead,
            coalesce(next_retry_at > clock_timestamp(), false) AS ahead,
            coalesce(processed_by LIKE '%' || $2, false) AS leased
       FROM m10_recovery.outbox WHERE id = $1`,
    [id, leasedBy('')],
  );
  if (row === undefined) return null;
  const { eventType, done, dead, ahead, leased } = row;
  if (done) return { eventType, state: dead ? 'dead' : 'delivered' };
  return { eventType, state: !ahead ? 'due' : leased ? 'delivering' : 'waits' };
}

export type Retried =
  | RetryNow
  | { readonly kind: 'revived' }
  /** A younger event of the same aggregate and type is pending: there can be one, and it tells what is true now. */
  | { readonly kind: 'replaced'; readonly by: number };

/**
 * Makes an event due now. One that was given up comes back with all its tries and under its own id, by which
 * receivers know what they have seen.
 * @throws the driver's error; 42501 when the role lacks UPDATE
 */
export function retryEvent(database: Database, id: number): Promise<Retried> {
  return database.transaction(async (inside): Promise<Retried> => {
    // Waits for whoever is about to change it, as long as the session's lock_timeout lets it.
    await inside.query('SELECT 1 FROM m10_recovery.outbox WHERE id = $1 FOR UPDATE', [id]);
    const event = await outboxEvent(inside, id);
    return event?.state === 'dead' ? revive(inside, id) : retryNow(inside, id);
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
  return { kind: 'revived' };
}
