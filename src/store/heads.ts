import type pg from 'pg';
import { z } from 'zod';
import type { Head } from './verify.js';

/** Where a head of the chain was noted, outside the database. */
export type HeadPlace = 'file' | 'channel';

export interface NotedHead extends Head {
  readonly place: HeadPlace;
}

/** A head that was noted and is not part of the journal any more. */
export interface HeadMismatch {
  readonly noted: NotedHead;
  /** The hash that stands there now; null when the journal ends before. */
  readonly found: string | null;
  /** The last position of the journal. */
  readonly end: number;
}

const Row = z.object({ position: z.coerce.number(), hash: z.string() });

/**
 * Holds noted heads against the journal, in the order of their positions. A head beyond the last event is a mismatch:
 * the tail was cut.
 */
export async function compareHeads(
  pool: Pick<pg.Pool, 'query'>,
  heads: readonly NotedHead[],
): Promise<HeadMismatch[]> {
  if (heads.length === 0) return [];
  const { rows } = await pool.query(
    `SELECT position, hash FROM m10bot.events
      WHERE position = ANY ($1::bigint[]) OR position = (SELECT max(position) FROM m10bot.events)
      ORDER BY position`,
    [heads.map((head) => head.position)],
  );
  const stored = new Map(
    z
      .array(Row)
      .parse(rows)
      .map((row) => [row.position, row.hash]),
  );
  const end = Math.max(0, ...stored.keys());
  return heads
    .filter((head) => stored.get(head.position) !== head.hash)
    .map((noted) => ({ noted, found: stored.get(noted.position) ?? null, end }))
    .sort((a, b) => a.noted.position - b.noted.position);
}

/** A mismatch in words: what differs and where; null when there is none. */
export function inWords(mismatch: HeadMismatch | null): string | null {
  if (mismatch === null) return null;
  const { noted, found, end } = mismatch;
  const where = noted.place === 'file' ? 'heads.jsonl of the state directory' : 'a message in the channel';
  const now = found === null ? `the journal ends at position ${end}` : `the journal has ${found} there`;
  return `position ${noted.position} stands with hash ${noted.hash} in ${where}, and ${now}`;
}
