import type pg from 'pg';
import { EVENT_COLUMNS, type EventRow, fromRow, GENESIS, hashOf } from './event.js';

/** The end of the hash chain at some moment. */
export interface Head {
  readonly position: number;
  readonly hash: string;
}

export interface VerifyOptions {
  /** First position to check; the one before it is believed. Default 1: everything. */
  readonly from?: number;
  /** Heads noted outside the database, in any order: each must still be part of the chain. */
  readonly expectedHead?: readonly Head[];
}

export type Verdict =
  | { readonly ok: true; readonly head: Head; readonly checked: number }
  | { readonly ok: false; readonly broken: number; readonly reason: string };

const BATCH = 500;

/**
 * Recomputes the hash chain in batches, while appends go on, and compares its end with the head row and with
 * the heads given. `broken` is the first position that cannot be trusted.
 */
export async function verify(pool: pg.Pool, options: VerifyOptions): Promise<Verdict> {
  const from = Math.max(1, options.from ?? 1);
  const noted = [...(options.expectedHead ?? [])].sort((a, b) => a.position - b.position);
  const end = await readEnd(pool);
  if (end === undefined) return broken(from, 'the head row is missing');
  const start = from === 1 ? GENESIS : await hashAt(pool, from - 1);
  if (start === undefined && from - 1 <= end.head.position) return broken(from - 1, 'the event is missing');

  let previous = start ?? GENESIS;
  let checked = 0;
  for (let after = from - 1; after < end.head.position; after += BATCH) {
    const rows = await batch(pool, after, Math.min(after + BATCH, end.head.position));
    let position = after;
    for (const row of rows) {
      position += 1;
      if (Number(row.position) !== position) return broken(position, 'the event is missing');
      if (hashOfRow(row, previous) !== row.hash) {
        return broken(position, 'the hash does not match: this event, or the one before it, was changed');
      }
      const note = noted.find((head) => head.position === position && head.hash !== row.hash);
      if (note !== undefined) {
        return broken(
          position,
          `the hash is not the one noted before (${note.hash}): the journal was rewritten`,
        );
      }
      previous = row.hash;
      checked += 1;
    }
    if (position < Math.min(after + BATCH, end.head.position)) {
      return broken(position + 1, `the tail is cut: the head is at position ${end.head.position}`);
    }
  }

  const missing = noted.find((head) => head.position > end.head.position);
  if (missing !== undefined) {
    return broken(
      end.head.position + 1,
      `the tail is cut: position ${missing.position} was noted before, the journal ends at ${end.head.position}`,
    );
  }
  if (end.last > end.head.position) {
    return broken(end.head.position + 1, 'the event was added past the head of the chain');
  }
  if (from <= end.head.position + 1 && previous !== end.head.hash) {
    return broken(end.head.position, 'the hash is not the one of the head row');
  }
  return { ok: true, head: end.head, checked };
}

function broken(position: number, reason: string): Verdict {
  return { ok: false, broken: position, reason };
}

/** Values that cannot even be hashed (a number past JavaScript's range) are tampering too. */
function hashOfRow(row: EventRow, previous: string): string | undefined {
  try {
    return hashOf(fromRow(row), previous);
  } catch {
    return undefined;
  }
}

/** The head row and the last event in one snapshot, so that an append in between cannot set them apart. */
async function readEnd(pool: pg.Pool): Promise<{ head: Head; last: number } | undefined> {
  const { rows } = await pool.query<{ position: string; hash: string; last: string }>(
    `SELECT head.position, head.hash, coalesce((SELECT max(position) FROM m10bot.events), 0) AS last
       FROM m10bot.journal_head AS head`,
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  return { head: { position: Number(row.position), hash: row.hash }, last: Number(row.last) };
}

async function hashAt(pool: pg.Pool, position: number): Promise<string | undefined> {
  const { rows } = await pool.query<{ hash: string }>('SELECT hash FROM m10bot.events WHERE position = $1', [
    position,
  ]);
  return rows[0]?.hash;
}

async function batch(pool: pg.Pool, after: number, upTo: number): Promise<EventRow[]> {
  const { rows } = await pool.query<EventRow>(
    `SELECT ${EVENT_COLUMNS} FROM m10bot.events AS event
      WHERE position > $1 AND position <= $2 ORDER BY position`,
    [after, upTo],
  );
  return rows;
}
