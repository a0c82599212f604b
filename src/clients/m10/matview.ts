import { z } from 'zod';
import type { Queryable } from '../postgres.js';

/** A materialized view of the schema, and what a refresh beside its readers needs. */
export interface ViewFacts {
  /** `m` for a materialized view, other letters as in pg_class; null: there is nothing of that name. */
  readonly kind: string | null;
  /** It was created with data, or refreshed since. */
  readonly populated: boolean;
  /** A valid unique index over plain columns, without a condition. */
  readonly uniqueIndex: boolean;
  /** Whether our role may do what its owner may. */
  readonly owner: boolean;
  /** Since the last refresh that worked, seconds; null when the log has none. */
  readonly ageSeconds: number | null;
}

const Facts = z.object({
  kind: z.string().nullable(),
  populated: z.boolean(),
  uniqueIndex: z.boolean(),
  owner: z.boolean(),
  ageSeconds: z.number().nullable(),
});

/** What PostgreSQL asks for: https://www.postgresql.org/docs/15/sql-refreshmaterializedview.html */
export async function readView(queryable: Queryable, view: string): Promise<ViewFacts> {
  const [facts] = await queryable.rows(
    Facts,
    `SELECT class.relkind::text AS kind,
            coalesce(class.relispopulated, false) AS populated,
            EXISTS (SELECT FROM pg_index
                     WHERE indrelid = class.oid AND indisunique AND indisvalid AND indimmediate
                       AND indpred IS NULL AND indexprs IS NULL) AS "uniqueIndex",
            coalesce(pg_has_role(class.relowner, 'USAGE'), false) AS owner,
            fresh.age_seconds::float8 AS "ageSeconds"
       FROM (SELECT to_regclass('m10_recovery.' || quote_ident($1)) AS oid) AS named
       LEFT JOIN pg_class AS class ON class.oid = named.oid
       LEFT JOIN m10_recovery.matview_freshness AS fresh ON fresh.view_name = $1`,
    [view],
  );
  return facts ?? { kind: null, populated: false, uniqueIndex: false, owner: false, ageSeconds: null };
}

export interface Refreshed {
  readonly success: boolean;
  readonly durationMs: number;
  readonly error: string | null;
}

const Answer = z
  .object({
    success: z.boolean(),
    duration: z.coerce.number<number | string>(),
    error: z.string().nullable(),
  })
  .transform(({ success, duration, error }): Refreshed => ({ success, durationMs: duration, error }));

/** The statement that refreshes. */
export const refreshCall =
  'SELECT success, duration_ms AS duration, error FROM m10_recovery.refresh_mv_tracked($1)';

/** Refreshes through the target's function, which reports a failure in its answer instead of raising it. */
export async function refreshView(queryable: Queryable, view: string): Promise<Refreshed> {
  const [answer] = await queryable.rows(Answer, refreshCall, [view]);
  return answer ?? { success: false, durationMs: 0, error: 'the function answered no row' };
}
