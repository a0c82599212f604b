import { z } from 'zod';
import { sayRevision } from '../checks/revision.js';
import { attempt } from '../clients/postgres/failure.js';
import { type DatabaseIdentity, readIdentity } from '../clients/postgres/identity.js';
import { placeName, readRevision, usualPlace, type VersionPlace } from '../clients/postgres/revision.js';
import { type Connection, connect, type Database } from '../clients/postgres.js';

const Rights = z.object({
  encoding: z.string(),
  /** May make schemas in this database. */
  createSchema: z.boolean(),
  /** Sees what other users' sessions do. */
  seesSessions: z.boolean(),
  /** May end other users' sessions. */
  endsSessions: z.boolean(),
  /** Schemas in which the user may not create anything; `public` and the system's own are left out. */
  closedSchemas: z.array(z.string()),
  openSchemas: z.int(),
  /** May write Alembic's version table; null when there is none yet. */
  writesRevision: z.boolean().nullable(),
  /** May work in the bot's own schema; null when there is none yet. */
  worksInOwnSchema: z.boolean().nullable(),
});

export interface DatabaseFacts {
  readonly identity: DatabaseIdentity;
  /** The revision in words, or why it cannot be read. */
  readonly revision: string;
  readonly versionTable: string;
  readonly rights: z.infer<typeof Rights>;
  /** Which state database it is; null when it is none, or not yet. */
  readonly stateId: string | null;
  /** How far this machine's clock is ahead of the server's, ms. */
  readonly clockAheadMs: number;
}

export type DatabaseLook =
  | { readonly kind: 'read'; readonly facts: DatabaseFacts }
  | { readonly kind: 'failed'; readonly facts: string; readonly todo: string };

/** Connects once and reads everything the doctor wants to know. Nothing is written. */
export async function readDatabase(
  url: string,
  now: () => number,
  place: VersionPlace = usualPlace,
): Promise<DatabaseLook> {
  const connection = await connect({
    url,
    applicationName: 'm10bot-doctor',
    statementTimeoutMs: 10_000,
    lockTimeoutMs: 3_000,
    connectTimeoutMs: 8_000,
  });
  if (connection.kind === 'unreachable') {
    const facts = `cannot be reached: ${connection.message}`;
    return { kind: 'failed', facts, todo: remedies[connection.cause] };
  }
  const { database } = connection;
  try {
    const read = await attempt(() => readFacts(database, now, place));
    if (read.kind === 'ok') return { kind: 'read', facts: read.value };
    return {
      kind: 'failed',
      facts: `answers with an error: ${read.message}`,
      todo: 'look into the log of the server',
    };
  } finally {
    await database.close();
  }
}

const remedies: Record<(Connection & { kind: 'unreachable' })['cause'], string> = {
  url: 'correct the URL: postgresql://user:password@host:5432/name',
  network: 'start the server, or correct host and port of the URL, and see that this machine may connect',
  tls: 'correct sslmode and the certificates of the URL; sslmode=require asks for TLS, sslmode=disable turns it off',
  pooler: 'let the URL name the server itself',
  authentication: 'correct user and password of the URL',
  no_database: 'create the database, or correct its name in the URL',
  not_ready: 'wait until the server takes connections, then run the doctor again',
  other: 'correct the URL, or look into the log of the server',
};

async function readFacts(database: Database, now: () => number, place: VersionPlace): Promise<DatabaseFacts> {
  const identity = await readIdentity(database);
  const revision = await attempt(() => readRevision(database, place));
  const [rights] = await database.rows(Rights, rightsQuery, [placeName(place)]);
  const before = now();
  const [clock] = await database.rows(
    z.object({ ms: z.number() }),
    'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
  );
  const after = now();
  if (rights === undefined || clock === undefined) throw new Error('The server answered without a row.');
  return {
    identity,
    revision: revision.kind === 'ok' ? sayRevision(revision.value) : `not readable (${revision.message})`,
    versionTable: placeName(place),
    rights,
    stateId: await readStateId(database),
    clockAheadMs: (before + after) / 2 - clock.ms,
  };
}

async function readStateId(database: Database): Promise<string | null> {
  const There = z.object({ there: z.boolean() });
  const [found] = await database.rows(
    There,
    `select coalesce(has_table_privilege(to_regclass('m10bot.identity'), 'SELECT'), false) as there`,
  );
  if (found?.there !== true) return null;
  const [row] = await database.rows(z.object({ id: z.string() }), 'select id::text from m10bot.identity');
  return row?.id ?? null;
}

// Superusers and owners come out right: the functions below answer for them, too.
const rightsQuery = `
  with schemas as (
    select nspname as name, has_schema_privilege(oid, 'CREATE') as open
      from pg_namespace
     where nspname !~ '^pg_' and nspname not in ('information_schema', 'public')
  )
  select current_setting('server_encoding') as encoding,
         has_database_privilege(current_database(), 'CREATE') as "createSchema",
         pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') as "seesSessions",
         pg_has_role(current_user, 'pg_signal_backend', 'USAGE') as "endsSessions",
         array(select name::text from schemas where not open order by name) as "closedSchemas",
         (select count(*)::int from schemas where open)
           + has_schema_privilege('public', 'CREATE')::int as "openSchemas",
         (select has_table_privilege(t.oid, 'SELECT') and has_table_privilege(t.oid, 'INSERT')
             and has_table_privilege(t.oid, 'UPDATE') and has_table_privilege(t.oid, 'DELETE')
            from pg_class t where t.oid = to_regclass($1)) as "writesRevision",
         (select has_schema_privilege(s.oid, 'USAGE') and has_schema_privilege(s.oid, 'CREATE')
            from pg_namespace s where s.nspname = 'm10bot') as "worksInOwnSchema"`;
