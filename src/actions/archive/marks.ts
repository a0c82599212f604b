import { z } from 'zod';
import type { Queryable } from '../../clients/postgres.js';
import { type ArchivedTable, quotedTable } from './tables.js';

/** What the text of a row depends on; the same is set where they are held against it (m10_observer/rows.py). */
const settings = [
  "set local datestyle = 'ISO, YMD'",
  "set local timezone = 'UTC'",
  "set local intervalstyle = 'postgres'",
  'set local extra_float_digits = 1',
  "set local bytea_output = 'hex'",
  'set local search_path = pg_catalog',
];

export interface Marked {
  readonly rows: number;
  /** The sum of a hash of each row's text: it tells any row that was written, changed or deleted. */
  readonly mark: string;
}

/** Counts and marks the rows of one table itself, without its children, as the transaction sees them. */
export async function markRows(database: Queryable, table: ArchivedTable): Promise<Marked> {
  await database.query('savepoint m10bot_rows');
  for (const setting of settings) await database.query(setting);
  const [row] = await database.rows(
    z.object({ rows: z.coerce.number(), mark: z.string() }),
    `select count(*)::text as rows, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text as mark
       from only ${quotedTable(table)} t`,
  );
  await database.query('rollback to savepoint m10bot_rows');
  return row ?? { rows: 0, mark: '0' };
}
