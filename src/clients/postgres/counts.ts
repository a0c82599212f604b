import pg from 'pg';
import { z } from 'zod';
import type { Database, Queryable } from '../postgres.js';
import { attempt, SQLSTATE } from './failure.js';

/** Bytes on disk of the whole database. */
export async function readDatabaseSize(database: Queryable): Promise<number> {
  const [row] = await database.rows(
    z.object({ bytes: z.number() }),
    'select pg_database_size(current_database())::float8 as bytes',
  );
  return row?.bytes ?? 0;
}

export type RowCount =
  | { readonly kind: 'counted'; readonly table: string; readonly rows: number }
  | { readonly kind: 'missing'; readonly table: string }
  | { readonly kind: 'failed'; readonly table: string; readonly code: string; readonly message: string };

/**
 * Counts the rows of tables exactly, in one read-only snapshot each.
 * @param timeoutMs for each table; a count that takes longer is `failed` with SQLSTATE 57014
 */
export async function countRows(
  database: Pick<Database, 'transaction'>,
  tables: readonly { readonly schema: string; readonly name: string }[],
  timeoutMs: number,
): Promise<RowCount[]> {
  const counts: RowCount[] = [];
  for (const { schema, name } of tables) {
    const table = `${schema}.${name}`;
    const result = await attempt(() =>
      database.transaction(
        async (inner) => {
          await inner.query("select set_config('statement_timeout', $1, true)", [
            `${Math.round(timeoutMs)}ms`,
          ]);
          // An identifier cannot be a parameter; the driver quotes it.
          const relation = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`;
          return inner.rows(
            z.object({ rows: z.number() }),
            `select count(*)::float8 as rows from ${relation}`,
          );
        },
        { readOnly: true },
      ),
    );
    if (result.kind === 'ok') {
      counts.push({ kind: 'counted', table, rows: result.value[0]?.rows ?? 0 });
    } else if (result.kind === 'connection_lost') {
      counts.push({ kind: 'failed', table, code: 'connection_lost', message: result.message });
    } else if (result.code === SQLSTATE.undefinedTable || result.code === SQLSTATE.invalidSchema) {
      counts.push({ kind: 'missing', table });
    } else {
      counts.push({ kind: 'failed', table, code: result.code, message: result.message });
    }
  }
  return counts;
}
