import type pg from 'pg';
import { z } from 'zod';
import { readUndelivered, type Undelivered } from './held.js';

/** Figures of the bot's own tables, for the metrics. */
export interface StoreFigures extends Undelivered {
  /**
   * Age of the oldest event that a reader of the journal has not passed, or has left behind for a channel, seconds;
   * 0 when there is none.
   */
  readonly publishLag: number;
  /** Deliveries that wait to be handled. */
  readonly inboxPending: number;
  /** How long the oldest of them has waited, seconds; 0 when there is none. */
  readonly inboxOldest: number;
  /** Deliveries that were given up. */
  readonly inboxDead: number;
}

const Row = z.object({
  publishLag: z.number(),
  inboxPending: z.number(),
  inboxOldest: z.number(),
  inboxDead: z.number(),
});

/** @param cursors names of the readers that count; one that has not begun stands at the beginning */
export async function readStoreFigures(
  pool: Pick<pg.Pool, 'query'>,
  cursors: readonly string[],
): Promise<StoreFigures> {
  const { rows } = await pool.query(
    `SELECT coalesce((
              SELECT greatest(extract(epoch FROM now() - event.at), 0)
                FROM m10bot.events AS event
               WHERE event.position > least(
                 (SELECT min(coalesce(cursor.position, 0))
                    FROM unnest($1::text[]) AS reader (name) LEFT JOIN m10bot.cursors AS cursor USING (name)),
                 (SELECT min(held.position) FROM m10bot.held WHERE held.lane = ANY ($1::text[])))
               ORDER BY event.position LIMIT 1), 0)::float8 AS "publishLag",
            (SELECT count(*) FROM m10bot.inbox WHERE state = 'waiting')::float8 AS "inboxPending",
            (SELECT coalesce(greatest(extract(epoch FROM now() - min(received_at)), 0), 0)
               FROM m10bot.inbox WHERE state = 'waiting')::float8 AS "inboxOldest",
            (SELECT count(*) FROM m10bot.inbox WHERE state = 'dead')::float8 AS "inboxDead"`,
    [cursors],
  );
  return { ...Row.parse(rows[0]), ...(await readUndelivered(pool)) };
}
