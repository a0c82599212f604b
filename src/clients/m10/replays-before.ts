import { z } from 'zod';
import type { Queryable } from '../postgres.js';

/** Entries of the replay log from before a fixed moment: their number can shrink, and never grows. */
export interface ReplaysBefore {
  readonly count: number;
  /** ms since the epoch */
  readonly oldestAt: number | null;
  readonly newestAt: number | null;
  /** Whether the role may delete them. */
  readonly deletable: boolean;
}

/** @param before ms since the epoch */
export async function replaysBefore(queryable: Queryable, before: number): Promise<ReplaysBefore> {
  const [found] = await queryable.rows(
    z.object({
      count: z.coerce.number<string>(),
      oldest: z.date().nullable(),
      newest: z.date().nullable(),
      deletable: z.boolean(),
    }),
    `SELECT count(*) AS count, min(replayed_at) AS oldest, max(replayed_at) AS newest,
            has_table_privilege('m10_recovery.replay_log', 'DELETE') AS deletable
       FROM m10_recovery.replay_log WHERE replayed_at < $1`,
    [new Date(before)],
  );
  return {
    count: found?.count ?? 0,
    oldestAt: found?.oldest?.getTime() ?? null,
    newestAt: found?.newest?.getTime() ?? null,
    deletable: found?.deletable ?? false,
  };
}

/** The moment that is so long ago by the database's clock, ms since the epoch. */
export async function momentAgo(queryable: Queryable, ageMs: number): Promise<number> {
  const [found] = await queryable.rows(
    z.object({ at: z.date() }),
    "SELECT date_trunc('milliseconds', clock_timestamp() - $1 * interval '1 millisecond') AS at",
    [ageMs],
  );
  return (found?.at ?? new Date(0)).getTime();
}

/** Deletes a batch of them, oldest first. @returns how many; fewer than `batch`: none is left */
export async function deleteReplaysBefore(
  queryable: Queryable,
  before: number,
  batch: number,
): Promise<number> {
  const { rowCount } = await queryable.query(
    `DELETE FROM m10_recovery.replay_log WHERE id = ANY (ARRAY(
       SELECT id FROM m10_recovery.replay_log WHERE replayed_at < $1 ORDER BY replayed_at LIMIT $2))`,
    [new Date(before), batch],
  );
  return rowCount;
}
