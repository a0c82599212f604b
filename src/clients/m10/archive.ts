import { z } from 'zod';
import { describeFailure } from '../postgres/failure.js';
import type { Queryable } from '../postgres.js';
import { type DeadLetter, payloadOf } from './dead-letter-entry.js';

/** What became of entries that were to be archived. */
export interface Archived {
  /** Entries that the archive did not hold before. */
  readonly archived: number;
  /** Entries that PostgreSQL would not take, with its reason; all others are in the archive. */
  readonly refused: readonly { readonly id: string; readonly why: string }[];
}

/** One statement takes no more than this, so that huge entries don't come together in one. */
const statementBytes = 8_000_000;

/**
 * Archives dead letters through the target's own function, many in one statement; those that are there already
 * stay as they are. When PostgreSQL refuses a value, the batch is halved until the entry is found alone, and that
 * one is tried with its id and payload only: no entry holds up the others.
 * @param by `archived_by`; up to its first colon it is the source in `m10_archive_total`
 * @throws the driver's error for anything but a refused value
 */
export async function archiveDeadLetters(
  queryable: Queryable,
  entries: readonly DeadLetter[],
  by: string,
): Promise<Archived> {
  let archived = 0;
  const refused: { id: string; why: string }[] = [];
  const waiting = chunks(entries).reverse();
  for (let batch = waiting.pop(); batch !== undefined; batch = waiting.pop()) {
    const rows = batch.map(rowOf);
    const tried = await tryRows(queryable, rows, by);
    if (tried.kind === 'ok') {
      archived += tried.archived;
      continue;
    }
    if (batch.length > 1) {
      const half = Math.ceil(batch.length / 2);
      waiting.push(batch.slice(half), batch.slice(0, half));
      continue;
    }
    const again = await tryRows(queryable, rows.map(bare), by);
    if (again.kind === 'ok') archived += again.archived;
    else refused.push({ id: batch[0]?.id ?? '', why: again.why });
  }
  return { archived, refused };
}

/** By the columns of the table. */
interface Row {
  readonly dl_msg_id: string;
  readonly original_msg_id: string | null;
  readonly candidate_id: string | null;
  readonly failure_match_id: string | null;
  readonly payload: unknown;
  readonly reason: string | null;
  readonly reclaim_count: number | null;
  readonly dead_lettered_at: string;
}

function bare(row: Row): Row {
  return { ...row, candidate_id: null, failure_match_id: null, reason: null, reclaim_count: null };
}

function rowOf(entry: DeadLetter): Row {
  return {
    dl_msg_id: entry.id,
    original_msg_id: entry.originalId,
    candidate_id: entry.candidateId,
    failure_match_id: entry.failureMatchId,
    payload: payloadOf(entry.fields),
    reason: entry.reason,
    reclaim_count: entry.reclaimCount,
    // An id may be given by hand and far from any time.
    dead_lettered_at: new Date(entry.deadLetteredAt <= 8.64e15 ? entry.deadLetteredAt : 0).toISOString(),
  };
}

/**
 * The statement that archives. Its values have the types of the table's own columns, as those of the function are:
 * candidates are integers in some releases of the backend and bigints in others.
 */
export const archiveCall = `WITH given AS (
       SELECT * FROM json_populate_recordset(null::m10_recovery.dead_letter_archive, $1::json)
     ), known AS MATERIALIZED (
       SELECT dl_msg_id FROM m10_recovery.dead_letter_archive WHERE dl_msg_id = ANY ($2::text[])
     )
     SELECT count(m10_recovery.archive_dead_letter(given.dl_msg_id, given.original_msg_id, given.candidate_id,
              given.failure_match_id, given.payload, given.reason, given.reclaim_count, given.dead_lettered_at, $3))
              AS archived
       FROM given
      WHERE NOT EXISTS (SELECT FROM known WHERE known.dl_msg_id = given.dl_msg_id)`;

async function archiveRows(queryable: Queryable, rows: readonly Row[], by: string): Promise<number> {
  // The function is not called for what is there: it would write a new version of each row, at every run.
  const [found] = await queryable.rows(
    z.object({ archived: z.coerce.number<string | number>() }),
    archiveCall,
    [JSON.stringify(rows), rows.map((row) => row.dl_msg_id), by],
  );
  return found?.archived ?? 0;
}

/** `refused`: values that do not fit (22), checks (23), sizes (54), which are the entries' own fault. */
async function tryRows(
  queryable: Queryable,
  rows: readonly Row[],
  by: string,
): Promise<{ kind: 'ok'; archived: number } | { kind: 'refused'; why: string }> {
  try {
    return { kind: 'ok', archived: await archiveRows(queryable, rows, by) };
  } catch (error) {
    const failure = describeFailure(error);
    if (failure?.kind !== 'sql_error' || !/^(22|23|54)/.test(failure.code)) throw error;
    return { kind: 'refused', why: failure.message };
  }
}

function chunks(entries: readonly DeadLetter[]): (readonly DeadLetter[])[] {
  const made: DeadLetter[][] = [];
  let open: DeadLetter[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (open.length > 0 && bytes + entry.bytes > statementBytes) {
      made.push(open);
      open = [];
      bytes = 0;
    }
    open.push(entry);
    bytes += entry.bytes;
  }
  return open.length > 0 ? [...made, open] : made;
}

/** An archived dead letter. */
export interface ArchivedLetter {
  readonly id: string;
  readonly originalId: string | null;
  readonly candidateId: string | null;
  readonly failureMatchId: string | null;
  readonly reason: string | null;
  readonly reclaimCount: number;
  /** ms since the epoch */
  readonly deadLetteredAt: number | null;
  /** The jsonb as PostgreSQL prints it. */
  readonly payload: string;
}

const Letter = z
  .object({
    dl_msg_id: z.string(),
    original_msg_id: z.string().nullable(),
    candidate_id: z.string().nullable(),
    failure_match_id: z.string().nullable(),
    reason: z.string().nullable(),
    reclaim_count: z.int().nullable(),
    dead_lettered_at: z.date().nullable(),
    payload: z.string(),
  })
  .transform(
    (row): ArchivedLetter => ({
      id: row.dl_msg_id,
      originalId: row.original_msg_id,
      candidateId: row.candidate_id,
      failureMatchId: row.failure_match_id,
      reason: row.reason,
      reclaimCount: row.reclaim_count ?? 0,
      deadLetteredAt: row.dead_lettered_at?.getTime() ?? null,
      payload: row.payload,
    }),
  );

/** Finds by the dead letter's id, else the newest of the message with that id. */
export async function findArchived(queryable: Queryable, message: string): Promise<ArchivedLetter | null> {
  const [row] = await queryable.rows(
    Letter,
    `SELECT dl_msg_id, original_msg_id, candidate_id::text, failure_match_id::text, reason, reclaim_count,
            dead_lettered_at, coalesce(payload::text, 'null') as payload
       FROM m10_recovery.dead_letter_archive
      WHERE dl_msg_id = $1 OR original_msg_id = $1
      ORDER BY (dl_msg_id = $1) DESC, id DESC
      LIMIT 1`,
    [message],
  );
  return row ?? null;
}

/** Those of the ids that the archive holds. */
export async function archivedAmong(
  queryable: Queryable,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await queryable.rows(
    z.object({ dl_msg_id: z.string() }),
    'SELECT dl_msg_id FROM m10_recovery.dead_letter_archive WHERE dl_msg_id = ANY ($1::text[])',
    [ids],
  );
  return new Set(rows.map((row) => row.dl_msg_id));
}

export interface ArchiveFacts {
  readonly rows: number;
  /** Of the table with its indexes. */
  readonly bytes: number;
  /** When its oldest row was archived, ms since the epoch. */
  readonly oldestAt: number | null;
  /** Rows of the last 24 hours. */
  readonly lastDay: number;
}

export async function archiveFacts(queryable: Queryable): Promise<ArchiveFacts> {
  const [facts] = await queryable.rows(
    z
      .object({
        rows: z.coerce.number<string>(),
        bytes: z.coerce.number<string>(),
        oldest: z.date().nullable(),
        last_day: z.coerce.number<string>(),
      })
      .transform((row) => ({
        rows: row.rows,
        bytes: row.bytes,
        oldestAt: row.oldest?.getTime() ?? null,
        lastDay: row.last_day,
      })),
    `SELECT count(*) AS rows, pg_total_relation_size('m10_recovery.dead_letter_archive') AS bytes,
            min(archived_at) AS oldest, count(*) FILTER (WHERE archived_at > now() - interval '1 day') AS last_day
       FROM m10_recovery.dead_letter_archive`,
  );
  return facts ?? { rows: 0, bytes: 0, oldestAt: null, lastDay: 0 };
}
