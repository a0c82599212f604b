import { z } from 'zod';
import type { Queryable } from '../postgres.js';

/** Where Alembic keeps its revision: env.py decides (`version_table`, `version_table_schema`, its search path). */
export interface VersionPlace {
  /** Null: as the search path says. */
  readonly schema: string | null;
  readonly table: string;
}

/** Alembic's own default. */
export const usualPlace: VersionPlace = { schema: null, table: 'alembic_version' };

/** What Alembic's version table says. */
export type RevisionTable =
  | { readonly kind: 'at'; readonly revision: string }
  /** No row, or (with `table: false`) no table. */
  | { readonly kind: 'none'; readonly table: boolean }
  /** One row for each branch, sorted. */
  | { readonly kind: 'several'; readonly revisions: readonly string[] };

/** Reads the version table through the connection: a program start of Alembic takes most of a second. */
export async function readRevision(
  database: Queryable,
  place: VersionPlace = usualPlace,
): Promise<RevisionTable> {
  const name = await regclass(database, place);
  if (name === null) return { kind: 'none', table: false };
  const rows = await database.rows(
    z.object({ version_num: z.string() }),
    `select version_num from ${name} order by version_num collate "C"`,
  );
  const revisions = rows.map((row) => row.version_num);
  const [revision] = revisions;
  if (revision === undefined) return { kind: 'none', table: true };
  return revisions.length === 1 ? { kind: 'at', revision } : { kind: 'several', revisions };
}

/** The version table as an identifier that is quoted where it must be; null when it does not exist. */
async function regclass(database: Queryable, place: VersionPlace): Promise<string | null> {
  const [found] = await database.rows(
    z.object({ name: z.string().nullable() }),
    `select to_regclass(coalesce(quote_ident($1) || '.', '') || quote_ident($2))::text as name`,
    [place.schema, place.table],
  );
  return found?.name ?? null;
}

/** `ops.alembic_version`, quoted as PostgreSQL would. */
export function placeName(place: VersionPlace): string {
  return [place.schema, place.table].flatMap((part) => (part === null ? [] : [quotedName(part)])).join('.');
}

function quotedName(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
