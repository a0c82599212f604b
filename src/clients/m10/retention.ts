import { z } from 'zod';
import type { Queryable } from '../postgres.js';
import { countReplaysOlderThan, deleteReplaysOlderThan } from './replays.js';

/** Tables that grow for ever unless old rows are deleted. */
export const agingTables = ['dead_letter_archive', 'replay_log', 'outbox'] as const;
export type AgingTable = (typeof agingTables)[number];

/** A batch: how many rows it deleted, and where the next one may begin. */
export interface DeletedBatch {
  readonly deleted: number;
  /** The largest id that was deleted, as text; null when none was. */
  readonly last: string | null;
}

const Count = z.object({ count: z.coerce.number<string | number>() });
const Batch = z
  .object({ deleted: z.coerce.number<string | number>(), last: z.string().nullable() })
  .transform((row): DeletedBatch => row);

/**
 * Deletes a batch of rows that are older, by the database's clock, oldest first; each batch is a transaction of its
 * own. Fewer than `batch`: none is left. Of the outbox only what was processed goes, counted from then.
 *
 * An archived dead letter goes by its age also when it still stands in the dead-letter stream. Then nothing is lost:
 * the next dl-reconcile archives it again before it trims or acknowledges anything.
 * @param ageMs milliseconds
 * @param from `last` of the batch before; null for the first
 */
export async function deleteOlderThan(
  queryable: Queryable,
  table: AgingTable,
  options: { readonly ageMs: number; readonly batch: number; readonly from: string | null },
): Promise<DeletedBatch> {
  const { ageMs, batch, from } = options;
  switch (table) {
    case 'replay_log':
      return { deleted: await deleteReplaysOlderThan(queryable, ageMs, batch), last: null };
    case 'dead_letter_archive': {
      const { rowCount } = await queryable.query(
        `DELETE FROM m10_recovery.dead_letter_archive WHERE id = ANY (ARRAY(
           SELECT id FROM m10_recovery.dead_letter_archive
            WHERE archived_at < now() - $1 * interval '1 millisecond' ORDER BY archived_at LIMIT $2))`,
        [ageMs, batch],
      );
      return { deleted: rowCount, last: null };
    }
    case 'outbox': {
      // There is no index by processed_at. By id the oldest come first, and a batch begins where the last one ended
      // instead of walking over its dead rows again.
      const [row] = await queryable.rows(
        Batch,
        `WITH gone AS (
           DELETE FROM m10_recovery.outbox WHERE id = ANY (ARRAY(
             SELECT id FROM m10_recovery.outbox
              WHERE processed_at < now() - $1 * interval '1 millisecond' AND id > coalesce($3::bigint, -1)
              ORDER BY id LIMIT $2))
           RETURNING id
         )
         SELECT count(*) AS deleted, max(id)::text AS last FROM gone`,
        [ageMs, batch, from],
      );
      return row ?? { deleted: 0, last: null };
    }
  }
}

/** Rows that are older than that. @param ageMs milliseconds */
export async function countOlderThan(
  queryable: Queryable,
  table: AgingTable,
  ageMs: number,
): Promise<number> {
  switch (table) {
    case 'replay_log':
      return countReplaysOlderThan(queryable, ageMs);
    case 'dead_letter_archive':
      return count(
        queryable,
        `SELECT count(*) AS count FROM m10_recovery.dead_letter_archive
          WHERE archived_at < now() - $1 * interval '1 millisecond'`,
        [ageMs],
      );
    case 'outbox':
      return count(
        queryable,
        `SELECT count(*) AS count FROM m10_recovery.outbox
          WHERE processed_at < now() - $1 * interval '1 millisecond'`,
        [ageMs],
      );
  }
}

export function countExpiredLocks(queryable: Queryable): Promise<number> {
  return count(
    queryable,
    'SELECT count(*) AS count FROM m10_recovery.distributed_locks WHERE expires_at <= clock_timestamp()',
    [],
  );
}

/** Tables that this role may not delete from. */
export async function tablesWithoutDelete(queryable: Queryable): Promise<ReadonlySet<string>> {
  const rows = await queryable.rows(
    z.object({ name: z.string() }),
    `SELECT name FROM unnest($1::text[]) AS name
      WHERE NOT coalesce(has_table_privilege(to_regclass('m10_recovery.' || name), 'DELETE'), true)`,
    [[...agingTables]],
  );
  return new Set(rows.map((row) => row.name));
}

/** Statements of this session wait for a lock no longer than this, since others queue behind one that waits. */
export async function waitForLocksAtMost(queryable: Queryable, ms: number): Promise<void> {
  await queryable.query("SELECT set_config('lock_timeout', $1, false)", [`${ms}ms`]);
}

async function count(queryable: Queryable, sql: string, parameters: readonly unknown[]): Promise<number> {
  const [row] = await queryable.rows(Count, sql, parameters);
  return row?.count ?? 0;
}
