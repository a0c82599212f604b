import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import { z } from 'zod';
import { describeFailure, hasCode } from './failure.js';
import { type DatabaseAddress, parseDatabaseUrl, tlsWays } from './url.js';

/** What a session is asked for. */
export interface SessionOptions {
  readonly url: string;
  /** Shows in pg_stat_activity, by which a session is found again. */
  readonly applicationName: string;
  /** Milliseconds; 0 for none. */
  readonly statementTimeoutMs: number;
  /** Milliseconds; 0 for none. */
  readonly lockTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

/** Why there is no session, or none that may be used. */
export interface Unreachable {
  readonly kind: 'unreachable';
  readonly cause:
    | 'url'
    | 'network'
    | 'tls'
    | 'authentication'
    | 'no_database'
    | 'not_ready'
    /** A pooler is in between: it refuses or drops what the session is asked for. */
    | 'pooler'
    | 'other';
  readonly message: string;
}

export type Opened =
  | { readonly kind: 'open'; readonly client: pg.Client; readonly pid: number }
  | Unreachable;

/**
 * Opens one session and reads back that it is the one that was asked for: its database, its user and its timeouts.
 * Nothing is taken from the environment: what is not in the options or the URL isn't used.
 */
export async function openClient(options: SessionOptions): Promise<Opened> {
  const parsed = parseDatabaseUrl(options.url);
  if (parsed.kind === 'bad_url') return { kind: 'unreachable', cause: 'url', message: parsed.problem };
  const { address } = parsed;
  let ways: readonly (ConnectionOptions | false)[];
  try {
    ways = tlsWays(address);
  } catch (error) {
    return { kind: 'unreachable', cause: 'url', message: messageOf(error) };
  }
  let first: unknown = null;
  for (const [index, ssl] of ways.entries()) {
    const client = clientOf(options, address, ssl);
    try {
      await client.connect();
      return await verified(client, options, address);
    } catch (error) {
      // A session that is left in the middle of its login holds up every DROP DATABASE of the server.
      client.end().catch(() => undefined);
      if (index === ways.length - 1 || !mayTryOther(error, ssl !== false)) {
        return unreachable(index > 0 && isRefusal(first) ? first : error, address);
      }
      first = error;
    }
  }
  throw new Error('there is at least one way to connect');
}

/** What the driver is given for an address, without a session's own settings. */
export function driverConfig(address: DatabaseAddress, ssl: ConnectionOptions | false) {
  return {
    host: address.host,
    port: address.port,
    user: address.user,
    database: address.database,
    // A function, since the driver would fill an empty value from PGPASSWORD or a password file.
    password: () => address.password ?? '',
    ssl,
    enableChannelBinding:
      ssl !== false && /^(prefer|require)$/.test(address.parameters.channel_binding ?? ''),
  };
}

/**
 * Finds out in which way a server can be reached, for a driver that keeps connections of its own, with no settings
 * that a transaction pooler would refuse.
 */
export async function driverFor(
  url: string,
  connectTimeoutMs: number,
): Promise<{ readonly kind: 'reached'; readonly driver: ReturnType<typeof driverConfig> } | Unreachable> {
  const parsed = parseDatabaseUrl(url);
  if (parsed.kind === 'bad_url') return { kind: 'unreachable', cause: 'url', message: parsed.problem };
  const { address } = parsed;
  let last: unknown = null;
  try {
    for (const ssl of tlsWays(address)) {
      const driver = driverConfig(address, ssl);
      const client = new pg.Client({ ...driver, connectionTimeoutMillis: connectTimeoutMs });
      client.on('error', () => {});
      try {
        await client.connect();
        return { kind: 'reached', driver };
      } catch (error) {
        last = error;
        if (!mayTryOther(error, ssl !== false)) break;
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  } catch (error) {
    return { kind: 'unreachable', cause: 'url', message: messageOf(error) };
  }
  return unreachable(last, address);
}

function clientOf(options: SessionOptions, address: DatabaseAddress, ssl: ConnectionOptions | false) {
  const { parameters } = address;
  const own = Number(parameters.connect_timeout ?? '0') * 1_000;
  const client = new pg.Client({
    ...driverConfig(address, ssl),
    application_name: options.applicationName,
    // Always set, so that PGOPTIONS of this process is not used. Ours come last and win.
    options: [
      parameters.options ?? '',
      `-c statement_timeout=${Math.round(options.statementTimeoutMs)}`,
      `-c lock_timeout=${Math.round(options.lockTimeoutMs)}`,
    ].join(' '),
    connectionTimeoutMillis: own > 0 ? Math.min(own, options.connectTimeoutMs) : options.connectTimeoutMs,
    keepAlive: true,
    // The server's timeout cannot act when the network swallows its answer.
    ...(options.statementTimeoutMs > 0 ? { query_timeout: options.statementTimeoutMs + 5_000 } : {}),
  });
  // An idle connection that dies emits an error; the next query then fails and tells.
  client.on('error', () => {});
  return client;
}

const Session = z.object({
  pid: z.int(),
  database: z.string(),
  user: z.string(),
  statement: z.int(),
  lock: z.int(),
});

const LOOK = `select pg_backend_pid() as pid, current_database()::text as database, session_user::text as user,
  (select setting::int from pg_catalog.pg_settings where name = 'statement_timeout') as statement,
  (select setting::int from pg_catalog.pg_settings where name = 'lock_timeout') as lock`;

/** What is asked for at the start of a session may be dropped on its way; only the session itself can tell. */
async function verified(
  client: pg.Client,
  options: SessionOptions,
  address: DatabaseAddress,
): Promise<Opened> {
  const { rows } = await client.query<Record<string, unknown>>(LOOK);
  const session = Session.parse(rows[0]);
  const problem = whatDiffers(session, options, address);
  if (problem === null) return { kind: 'open', client, pid: session.pid };
  await client.end().catch(() => undefined);
  return { kind: 'unreachable', cause: 'pooler', message: `${problem}. ${pooler}` };
}

const pooler =
  'A pooler stands in front of this database; m10bot needs sessions of its own: give the URL of the server itself';

function whatDiffers(
  session: z.infer<typeof Session>,
  options: SessionOptions,
  { database, user }: DatabaseAddress,
): string | null {
  if (session.database !== database) {
    return `the session is in the database ${session.database}, the URL names ${database}`;
  }
  // Some managed servers want user@server in the URL and know the user alone.
  if (session.user !== user && !user.startsWith(`${session.user}@`)) {
    return `the session belongs to ${session.user}, the URL names ${user}`;
  }
  const dropped = [
    ['statement_timeout', session.statement, Math.round(options.statementTimeoutMs)],
    ['lock_timeout', session.lock, Math.round(options.lockTimeoutMs)],
  ] as const;
  const lost = dropped.find(([, found, wanted]) => found !== wanted);
  return lost === undefined ? null : `the session has ${lost[0]} ${lost[1]} ms, asked for ${lost[2]} ms`;
}

/** Whether libpq would try the other way: the server does not speak TLS, or refuses this kind of connection. */
function mayTryOther(error: unknown, encrypted: boolean): boolean {
  if (error instanceof pg.DatabaseError) return error.code === NO_ENTRY;
  if (!(error instanceof Error) || !encrypted) return false;
  return isNoTls(error) || (hasCode(error) && isTls(error.code));
}

/** "no pg_hba.conf entry for host …": invalid_authorization_specification */
const NO_ENTRY = '28000';
const isRefusal = (error: unknown) => error instanceof pg.DatabaseError && error.code === NO_ENTRY;
/** The driver's words for a server that answers "N" to the request for TLS. */
const isNoTls = (error: Error) => /does not support SSL connections/.test(error.message);
/** Codes of the system are E and capitals (ECONNREFUSED); those of Node and of OpenSSL's verification are not. */
const isTls = (code: string) => code === 'EPROTO' || !/^E[A-Z0-9]+$/.test(code);

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(String).join('; ');
  return error instanceof Error ? error.message || String(error) : String(error);
}

function unreachable(error: unknown, address: DatabaseAddress): Unreachable {
  const at = (cause: Unreachable['cause'], message = messageOf(error)): Unreachable => ({
    kind: 'unreachable',
    cause,
    message,
  });
  if (error instanceof pg.DatabaseError) return at(...answerOf(error, address));
  if (error instanceof Error && isNoTls(error)) {
    return at('tls', 'the server speaks no TLS, which the URL asks for');
  }
  if (error instanceof Error && /^SASL|password must be a string/.test(error.message))
    return at('authentication');
  if (error instanceof Error && hasCode(error) && isTls(error.code)) {
    return at('tls', `the TLS connection failed: ${messageOf(error)}`);
  }
  return at(describeFailure(error)?.kind === 'connection_lost' ? 'network' : 'other');
}

/** By SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html */
function answerOf(error: pg.DatabaseError, { parameters }: DatabaseAddress): [Unreachable['cause'], string] {
  const { message } = error;
  const code = error.code ?? '';
  if (code === NO_ENTRY && parameters.sslmode === 'disable' && /no encryption|SSL off/.test(message)) {
    return ['tls', `${message}: the server wants TLS, which sslmode=disable turns off`];
  }
  if (code === NO_ENTRY && /no encryption|SSL off/.test(message)) {
    return ['tls', `${message}: the server wants TLS`];
  }
  if (code.startsWith('28')) return ['authentication', message];
  if (code === '3D000') return ['no_database', message];
  if (code === '57P03' || code.startsWith('53')) return ['not_ready', message];
  // What a pooler answers to settings in the start-up message.
  if (code === '08P01' && /startup parameter/.test(message)) return ['pooler', `${message}. ${pooler}`];
  return [describeFailure(error)?.kind === 'connection_lost' ? 'network' : 'other', message];
}
