import type pg from 'pg';
import { EVENT_COLUMNS, type EventRow, fromRow, GENESIS } from './event.js';
import { canonical, toJson } from './json.js';

const BATCH = 500;

/**
 * The journal, or one stream of it, as lines of canonical JSON for auditors. Each line carries the hash
 * before it, so it can be checked alone: its hash is the SHA-256 of the same object without `hash`.
 */
export async function* exportLines(pool: pg.Pool, stream?: string): AsyncGenerator<string> {
  for (let after = 0; ; ) {
    const { rows } = await pool.query<EventRow & { previous: string | null }>(
      stream === undefined
        ? `${EXPORT} WHERE event.position > $1 ORDER BY event.position LIMIT $2`
        : `${EXPORT} WHERE event.stream = $3 AND event.version > $1 ORDER BY event.version LIMIT $2`,
      stream === undefined ? [after, BATCH] : [after, BATCH, stream],
    );
    for (const row of rows) {
      const event = fromRow(row);
      after = stream === undefined ? event.position : event.version;
      yield canonical({ ...event, data: toJson(event.data), previous: row.previous ?? GENESIS });
    }
    if (rows.length < BATCH) return;
  }
}

const EXPORT = `SELECT ${EVENT_COLUMNS}, before.hash AS previous
  FROM m10bot.events AS event LEFT JOIN m10bot.events AS before ON before.position = event.position - 1`;
