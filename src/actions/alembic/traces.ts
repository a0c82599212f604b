import { z } from 'zod';
import type { Observed } from '../../clients/alembic/observed.js';
import { attempt } from '../../clients/postgres/failure.js';
import type { Queryable } from '../../clients/postgres.js';
import type { TableName } from '../../clients/sql/bookkeeping.js';
import { backendsOf } from './sessions.js';

/** What the target's server itself knows of an Alembic that has ended. */
export interface Traces {
  /** What became of the transactions whose commits were sent and not answered, by id; null: it knows no more. */
  readonly transactions: ReadonlyMap<string, string | null>;
  /** Prepared since the program connected, and still there: they hold locks and wait for a COMMIT PREPARED. */
  readonly prepared: readonly string[];
  /** Tables whose rows are kept elsewhere. */
  readonly foreignTables: readonly TableName[];
}

/** Reads the traces. Only once none of the program's sessions is left do they mean anything. */
export async function readTraces(
  database: Queryable,
  observed: readonly (Observed | null)[],
): Promise<Traces> {
  const transactions = new Map<string, string | null>();
  for (const one of observed) {
    for (const { xid } of one?.unanswered ?? []) {
      if (typeof xid === 'string') transactions.set(xid, await statusOf(database, xid));
    }
  }
  return {
    transactions,
    prepared: await preparedSince(database, observed),
    foreignTables: await database.rows(
      z.object({ schema: z.string(), table: z.string() }),
      `select n.nspname::text as schema, c.relname::text as table
         from pg_catalog.pg_foreign_table f
         join pg_catalog.pg_class c on c.oid = f.ftrelid
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace`,
    ),
  };
}

/** https://www.postgresql.org/docs/15/functions-info.html: committed, aborted, in progress, or null when too old. */
async function statusOf(database: Queryable, xid: string): Promise<string | null> {
  const read = await attempt(() =>
    database.rows(z.object({ status: z.string().nullable() }), 'select txid_status($1::bigint) as status', [
      xid,
    ]),
  );
  // A number that the server refuses (of another server, from before a restore) tells nothing.
  return read.kind === 'ok' ? (read.value[0]?.status ?? null) : null;
}

async function preparedSince(database: Queryable, observed: readonly (Observed | null)[]): Promise<string[]> {
  const starts = observed.flatMap(backendsOf).flatMap(({ start }) => (start === null ? [] : [start]));
  if (starts.length === 0) return [];
  const rows = await database.rows(
    z.object({ gid: z.string() }),
    `select gid from pg_catalog.pg_prepared_xacts
      where database = current_database()
        and extract(epoch from prepared)::numeric >= (select min(s::numeric) from unnest($1::text[]) s)
      order by prepared`,
    [starts],
  );
  return rows.map((row) => row.gid);
}
