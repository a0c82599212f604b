import { z } from 'zod';
import type { Queryable } from '../postgres.js';

/** A message that was put back, as `m10_recovery.replay_log` has it. */
export interface Replay {
  readonly original: string;
  readonly deadLetter: string | null;
  readonly key: string | null;
  /** null: the new message's id was never noted. */
  readonly newId: string | null;
  /** ms since the epoch */
  readonly at: number;
  readonly by: string | null;
}

export interface NewReplay {
  readonly original: string;
  readonly deadLetter: string | null;
  /** A bigint, as text. */
  readonly candidate: string | null;
  readonly key: string | null;
  readonly newId: string | null;
}

const Count = z.object({ count: z.coerce.number<string | number>() });

/**
 * The statement that records replays. Its values have the types of the table's own columns, as those of the
 * function are: candidates are integers in some releases of the backend and bigints in others.
 */
export const recordCall = `SELECT count(*) FILTER (WHERE NOT done.already_replayed) AS count
       FROM json_populate_recordset(null::m10_recovery.replay_log, $1::json) AS r,
            m10_recovery.record_replay(r.original_msg_id, r.dl_msg_id, r.candidate_id, r.idempotency_key,
              r.new_msg_id, $2) AS done`;

function columnsOf({ original, deadLetter, candidate, key, newId }: NewReplay) {
  return {
    original_msg_id: original,
    dl_msg_id: deadLetter,
    candidate_id: candidate,
    idempotency_key: key,
    new_msg_id: newId,
  };
}

/** Records replays that the log does not hold yet, in one statement. @returns how many were recorded */
export async function recordReplays(
  queryable: Queryable,
  replays: readonly NewReplay[],
  by: string,
): Promise<number> {
  if (replays.length === 0) return 0;
  const [found] = await queryable.rows(Count, recordCall, [JSON.stringify(replays.map(columnsOf)), by]);
  return found?.count ?? 0;
}

/** @returns whether it is new in the log */
export async function recordReplay(queryable: Queryable, replay: NewReplay, by: string): Promise<boolean> {
  return (await recordReplays(queryable, [replay], by)) === 1;
}

const Row = z
  .object({
    original_msg_id: z.string(),
    dl_msg_id: z.string().nullable(),
    idempotency_key: z.string().nullable(),
    new_msg_id: z.string().nullable(),
    replayed_at: z.date(),
    replayed_by: z.string().nullable(),
  })
  .transform(
    (row): Replay => ({
      original: row.original_msg_id,
      deadLetter: row.dl_msg_id,
      key: row.idempotency_key,
      newId: row.new_msg_id,
      at: row.replayed_at.getTime(),
      by: row.replayed_by,
    }),
  );
const columns =
  'original_msg_id, dl_msg_id, idempotency_key::text, new_msg_id, replayed_at, replayed_by' as const;

/** @param original the message's id in the main stream */
export async function findReplay(queryable: Queryable, original: string): Promise<Replay | null> {
  const [row] = await queryable.rows(
    Row,
    `SELECT ${columns} FROM m10_recovery.replay_log WHERE original_msg_id = $1`,
    [original],
  );
  return row ?? null;
}

/** Those of the messages that the log has. */
export async function findReplays(
  queryable: Queryable,
  originals: readonly string[],
): Promise<ReadonlySet<string>> {
  if (originals.length === 0) return new Set();
  const rows = await queryable.rows(
    z.object({ original: z.string() }),
    `SELECT original_msg_id AS original FROM m10_recovery.replay_log WHERE original_msg_id = ANY ($1::text[])`,
    [originals],
  );
  return new Set(rows.map((row) => row.original));
}

/** Recorded under a key, but without the id of a new message; newest first. */
export function openReplays(queryable: Queryable, limit: number): Promise<readonly Replay[]> {
  return queryable.rows(
    Row,
    `SELECT ${columns} FROM m10_recovery.replay_log
      WHERE new_msg_id IS NULL AND idempotency_key IS NOT NULL ORDER BY replayed_at DESC LIMIT $1`,
    [limit],
  );
}

/** Notes the ids of new messages where none is noted. @returns how many rows that changed */
export async function noteNewMessages(
  queryable: Queryable,
  added: readonly { readonly original: string; readonly newId: string }[],
): Promise<number> {
  if (added.length === 0) return 0;
  const { rowCount } = await queryable.query(
    `UPDATE m10_recovery.replay_log AS log SET new_msg_id = a."newId"
       FROM json_to_recordset($1::json) AS a (original text, "newId" text)
      WHERE log.original_msg_id = a.original AND log.new_msg_id IS NULL`,
    [JSON.stringify(added)],
  );
  return rowCount;
}

/** Gives a row up that began a replay which another worker turned out to have done: nobody takes it up again. */
export async function disownReplay(queryable: Queryable, original: string, why: string): Promise<void> {
  await queryable.query(
    `UPDATE m10_recovery.replay_log SET idempotency_key = NULL, error_message = $2
      WHERE original_msg_id = $1 AND new_msg_id IS NULL`,
    [original, why],
  );
}

export interface ReplayFacts {
  readonly rows: number;
  /** Of the table with its indexes. */
  readonly bytes: number;
  /** ms since the epoch */
  readonly oldestAt: number | null;
  readonly newestAt: number | null;
  /** Replays of each day in UTC, oldest first, days without any too; today is the last and not over yet. */
  readonly days: readonly { readonly day: string; readonly count: number }[];
}

/** The size and growth of the replay log. @param days how many days back, today included */
export async function replayFacts(queryable: Queryable, days = 7): Promise<ReplayFacts> {
  const [size] = await queryable.rows(
    z.object({
      rows: z.coerce.number<string>(),
      bytes: z.coerce.number<string>(),
      oldest: z.date().nullable(),
      newest: z.date().nullable(),
    }),
    `SELECT count(*) AS rows, pg_total_relation_size('m10_recovery.replay_log') AS bytes,
            min(replayed_at) AS oldest, max(replayed_at) AS newest
       FROM m10_recovery.replay_log`,
  );
  const growth = await queryable.rows(
    Count.extend({ day: z.string() }),
    `SELECT to_char(day, 'YYYY-MM-DD') AS day, count(log.replayed_at) AS count
       FROM generate_series(date_trunc('day', now() AT TIME ZONE 'UTC') - make_interval(days => $1 - 1),
                            date_trunc('day', now() AT TIME ZONE 'UTC'), interval '1 day') AS day
       LEFT JOIN m10_recovery.replay_log AS log
         ON log.replayed_at >= day AT TIME ZONE 'UTC'
        AND log.replayed_at < (day + interval '1 day') AT TIME ZONE 'UTC'
      GROUP BY day ORDER BY day`,
    [days],
  );
  return {
    rows: size?.rows ?? 0,
    bytes: size?.bytes ?? 0,
    oldestAt: size?.oldest?.getTime() ?? null,
    newestAt: size?.newest?.getTime() ?? null,
    days: growth.map(({ day, count }) => ({ day, count })),
  };
}

/** Replays that are older, by the database's clock. @param ageMs milliseconds */
export async function countReplaysOlderThan(queryable: Queryable, ageMs: number): Promise<number> {
  const [found] = await queryable.rows(
    Count,
    `SELECT count(*) AS count FROM m10_recovery.replay_log
      WHERE replayed_at < now() - $1 * interval '1 millisecond'`,
    [ageMs],
  );
  return found?.count ?? 0;
}

/** Deletes a batch of replays that are older, oldest first. @returns how many; fewer than `batch`: none is left */
export async function deleteReplaysOlderThan(
  queryable: Queryable,
  ageMs: number,
  batch: number,
): Promise<number> {
  const { rowCount } = await queryable.query(
    `DELETE FROM m10_recovery.replay_log WHERE id = ANY (ARRAY(
       SELECT id FROM m10_recovery.replay_log
        WHERE replayed_at < now() - $1 * interval '1 millisecond' ORDER BY replayed_at LIMIT $2))`,
    [ageMs, batch],
  );
  return rowCount;
}
