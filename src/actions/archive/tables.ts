import pg from 'pg';
import { z } from 'zod';
import type { Queryable } from '../../clients/postgres.js';

export interface ArchivedTable {
  readonly schema: string;
  readonly name: string;
  /** False for the parent of partitions, which has no row of its own and no place in a dump's data. */
  readonly holdsRows: boolean;
  /** Bytes on disk, with what is stored out of line, without indexes. */
  readonly bytes: number;
}

const relation = z.object({
  schema: z.string(),
  name: z.string(),
  kind: z.string(),
  bytes: z.number(),
  given: z.boolean(),
});

export type FoundTables =
  | { readonly kind: 'found'; readonly tables: readonly ArchivedTable[]; readonly absent: readonly string[] }
  | { readonly kind: 'refused'; readonly why: string };

/** The given tables that exist, with their partitions and other children: a dump by name takes no child along. */
export async function findTables(
  database: Queryable,
  schema: string,
  names: readonly string[],
): Promise<FoundTables> {
  const rows = await database.rows(
    relation,
    `with recursive wanted(oid, given) as (
       select c.oid, true from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = $1 and c.relname = any($2::text[]) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
       union
       select i.inhrelid, false from pg_inherits i join wanted w on w.oid = i.inhparent
     )
     select n.nspname::text as schema, c.relname::text as name, c.relkind::text as kind,
            pg_table_size(c.oid)::float8 as bytes, bool_or(w.given) as given
       from wanted w join pg_class c on c.oid = w.oid join pg_namespace n on n.oid = c.relnamespace
      group by 1, 2, 3, 4 order by 1, 2`,
    [schema, names],
  );
  const other = rows.find((row) => row.kind !== 'r' && row.kind !== 'p');
  if (other !== undefined) {
    return { kind: 'refused', why: `${other.schema}.${other.name} is no table with rows of its own` };
  }
  const elsewhere = rows.find((row) => row.schema !== schema);
  if (elsewhere !== undefined) {
    return {
      kind: 'refused',
      why: `the partition ${elsewhere.schema}.${elsewhere.name} lies in another schema, which needs a step of its own`,
    };
  }
  const given = new Set(rows.filter((row) => row.given).map((row) => row.name));
  const place = (row: { name: string; given: boolean }) =>
    row.given ? names.indexOf(row.name) : names.length;
  rows.sort((a, b) => place(a) - place(b));
  return {
    kind: 'found',
    tables: rows.map((row) => ({
      schema: row.schema,
      name: row.name,
      holdsRows: row.kind === 'r',
      bytes: row.bytes,
    })),
    absent: names.filter((name) => !given.has(name)),
  };
}

/** Quoted, as SQL and the patterns of pg_dump's --table both read it. */
export function quotedTable(table: { readonly schema: string; readonly name: string }): string {
  // An identifier cannot be a parameter; the driver quotes it.
  return `${pg.escapeIdentifier(table.schema)}.${pg.escapeIdentifier(table.name)}`;
}
