import { z } from 'zod';
import type { Queryable } from '../postgres.js';

/** What Alembic's version table says. */
export type RevisionTable =
  | { readonly kind: 'at'; readonly revision: string }
  /** No row, or (with `table: false`) no table: nothing was ever migrated here. */
  | { readonly kind: 'none'; readonly table: boolean }
  | { readonly kind: 'several'; readonly revisions: readonly string[] };

/**
 * Reads `alembic_version` through the connection: a program start of Alembic takes most of a second, this a
 * millisecond. Without a schema the table is looked for as the search path says, as Alembic does.
 */
export async function readRevision(
  database: Queryable,
  options: { readonly schema?: string; readonly table?: string } = {},
): Promise<RevisionTable> {
  const [found] = await database.rows(
    z.object({ name: z.string().nullable() }),
    `select to_regclass(coalesce(quote_ident($1) || '.', '') || quote_ident($2))::text as name`,
    [options.schema ?? null, options.table ?? 'alembic_version'],
  );
  const name = found?.name ?? null;
  if (name === null) return { kind: 'none', table: false };
  // A regclass prints as an identifier that is quoted where it must be.
  const rows = await database.rows(
    z.object({ version_num: z.string() }),
    `select version_num from ${name} order by version_num`,
  );
  const revisions = rows.map((row) => row.version_num);
  const [revision] = revisions;
  if (revision === undefined) return { kind: 'none', table: true };
  return revisions.length === 1 ? { kind: 'at', revision } : { kind: 'several', revisions };
}
