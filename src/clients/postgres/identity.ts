import { z } from 'zod';
import type { Queryable } from '../postgres.js';
import { attempt, SQLSTATE } from './failure.js';

const identitySchema = z.object({
  databaseName: z.string(),
  databaseOid: z.string(),
  user: z.string(),
  /** Null over a Unix socket. */
  serverAddress: z.string().nullable(),
  serverPort: z.int().nullable(),
  /** For instance 150018 for 15.18. */
  versionNumber: z.int(),
  version: z.string(),
  inRecovery: z.boolean(),
  readOnly: z.boolean(),
});

export type DatabaseIdentity = z.infer<typeof identitySchema> & {
  /** Given to a cluster at initdb and kept by its replicas and physical copies. */
  readonly systemIdentifier:
    | { readonly kind: 'known'; readonly value: string }
    /** Without it, address, port and database oid are what is left to compare. */
    | { readonly kind: 'not_permitted'; readonly reason: string };
};

/** Says which database of which cluster this is. */
export async function readIdentity(database: Queryable): Promise<DatabaseIdentity> {
  const [identity] = await database.rows(
    identitySchema,
    `select d.datname as "databaseName", d.oid::text as "databaseOid", current_user::text as "user",
            host(inet_server_addr()) as "serverAddress", inet_server_port() as "serverPort",
            current_setting('server_version_num')::int as "versionNumber",
            current_setting('server_version') as "version",
            pg_is_in_recovery() as "inRecovery", current_setting('transaction_read_only')::bool as "readOnly"
       from pg_database d where d.datname = current_database()`,
  );
  if (identity === undefined) throw new Error('The server does not list the connected database.');
  return { ...identity, systemIdentifier: await readSystemIdentifier(database) };
}

async function readSystemIdentifier(database: Queryable): Promise<DatabaseIdentity['systemIdentifier']> {
  // Asked first, since a refusal would break the transaction that the caller may have open.
  const [permission] = await database.rows(
    z.object({ allowed: z.boolean() }),
    "select has_function_privilege('pg_catalog.pg_control_system()', 'execute') as allowed",
  );
  const refused = 'The role may not execute pg_control_system().';
  if (permission?.allowed !== true) return { kind: 'not_permitted', reason: refused };
  const result = await attempt(() =>
    database.rows(
      z.object({ value: z.string() }),
      'select system_identifier::text as value from pg_catalog.pg_control_system()',
    ),
  );
  if (result.kind === 'ok') {
    const [row] = result.value;
    if (row !== undefined) return { kind: 'known', value: row.value };
    return { kind: 'not_permitted', reason: 'pg_control_system() returned nothing.' };
  }
  if (result.kind === 'sql_error' && result.code === SQLSTATE.insufficientPrivilege) {
    return { kind: 'not_permitted', reason: refused };
  }
  throw new Error(`The system identifier could not be read: ${result.message}`);
}
