import { z } from 'zod';
import type { Queryable } from '../postgres.js';

const QUERY_CHARACTERS = 300;

const sessionSchema = z.object({
  pid: z.int(),
  applicationName: z.string(),
  user: z.string().nullable(),
  clientAddress: z.string().nullable(),
  /** Null when this role may not see it. */
  state: z.string().nullable(),
  /** Age of the open transaction in seconds; null when there is none or it may not be seen. */
  transactionSeconds: z.number().nullable(),
  /** Time since the current or last statement began, in seconds. */
  querySeconds: z.number().nullable(),
  waitEventType: z.string().nullable(),
  waitEvent: z.string().nullable(),
  /** The current or last statement, cut; null when it may not be seen. */
  query: z.string().nullable(),
  /** True when the role lacks pg_read_all_stats for this session, so that nulls mean unseen. */
  hidden: z.boolean(),
});

/** A session of another client on the connected database. */
export type Session = z.infer<typeof sessionSchema>;

/** Columns of `sessionSchema`, from pg_stat_activity as `a`. */
const COLUMNS = `a.pid, coalesce(a.application_name, '') as "applicationName", a.usename::text as "user",
  host(a.client_addr) as "clientAddress", a.state,
  extract(epoch from clock_timestamp() - a.xact_start)::float8 as "transactionSeconds",
  extract(epoch from clock_timestamp() - a.query_start)::float8 as "querySeconds",
  a.wait_event_type as "waitEventType", a.wait_event as "waitEvent",
  case when a.query = '<insufficient privilege>' then null else left(a.query, ${QUERY_CHARACTERS}) end as query,
  a.query = '<insufficient privilege>' as hidden`;
/**
 * Parallel workers are left out: they belong to a leader that is listed. A role that may not see a session gets
 * no backend type either, and such a session must not be missed.
 */
const CLIENTS = `from pg_stat_activity a
  where a.pid <> pg_backend_pid()
    and (a.backend_type = 'client backend' or (a.backend_type is null and a.usesysid is not null))`;
const OTHERS = `${CLIENTS} and a.datname = current_database()`;

/** All other client sessions of the database, the oldest transaction first. */
export async function readActivity(database: Queryable): Promise<Session[]> {
  return database.rows(sessionSchema, `select ${COLUMNS} ${OTHERS} order by a.xact_start nulls last, a.pid`);
}

/** Sessions whose transaction is older than `seconds`, the oldest first. */
export async function readLongTransactions(database: Queryable, seconds: number): Promise<Session[]> {
  return database.rows(
    sessionSchema,
    `select ${COLUMNS} ${OTHERS} and a.xact_start < clock_timestamp() - make_interval(secs => $1)
      order by a.xact_start, a.pid`,
    [seconds],
  );
}

/**
 * Running dumps: by the name pg_dump gives itself, or (PGAPPNAME overrides it) by the COPY … TO stdout that a
 * dump consists of. A dump holds ACCESS SHARE on every table until it ends.
 */
export async function readRunningDumps(database: Queryable): Promise<Session[]> {
  return database.rows(
    sessionSchema,
    `select ${COLUMNS} ${OTHERS}
        and (a.application_name ~* '^pg_dump(all)?$'
             or (a.state <> 'idle' and a.query ~* '^\\s*copy\\s.*\\sto\\s+stdout'))
      order by a.pid`,
  );
}

/** Sessions whose application name begins with the prefix, as it is written. */
export async function readSessionsByName(database: Queryable, prefix: string): Promise<Session[]> {
  return database.rows(
    sessionSchema,
    `select ${COLUMNS} ${OTHERS} and starts_with(a.application_name, $1) order by a.pid`,
    [prefix],
  );
}

/** A backend for good: pids are used again, a pid with the time of its start is not. */
export interface Backend {
  readonly pid: number;
  /** Seconds of the epoch as text, as PostgreSQL prints them; null when it is not known. */
  readonly start: string | null;
}

/**
 * The sessions of one program: by the name that it was given, in this database, and by the backends that it was seen
 * to have, in whatever database of this server.
 */
export interface SessionsOf {
  readonly applicationName: string;
  readonly backends?: readonly Backend[];
}

/**
 * A time of start that this role may not see proves nothing, so the pid alone decides there. Before PostgreSQL 14 the
 * text of a time has as many digits as each session's extra_float_digits gives it.
 */
const OWN = `((a.datname = current_database() and a.application_name = $1) or exists (
    select from unnest($2::int[], $3::text[]) as b (pid, start)
     where b.pid = a.pid
       and coalesce(abs(b.start::numeric - extract(epoch from a.backend_start)::numeric) < 0.001, true)))`;

function ownParameters(own: SessionsOf): [string, number[], (string | null)[]] {
  const backends = own.backends ?? [];
  return [shownName(own.applicationName), backends.map((b) => b.pid), backends.map((b) => b.start)];
}

/** Sessions of one program that are there now, oldest process first. */
export async function readOwnSessions(database: Queryable, own: SessionsOf): Promise<Session[]> {
  return database.rows(
    sessionSchema,
    `select ${COLUMNS} ${CLIENTS} and ${OWN} order by a.pid`,
    ownParameters(own),
  );
}

const signalSchema = z.object({ pid: z.int(), signalled: z.boolean() });
export type SignalledBackend = z.infer<typeof signalSchema>;

/** Ends every session of one program. Its transaction rolls back. */
export async function terminateSessions(database: Queryable, own: SessionsOf): Promise<SignalledBackend[]> {
  return database.rows(
    signalSchema,
    `select a.pid, pg_terminate_backend(a.pid) as signalled ${CLIENTS} and ${OWN}`,
    ownParameters(own),
  );
}

/** Cancels the running statement of every session of one program. */
export async function cancelSessions(database: Queryable, own: SessionsOf): Promise<SignalledBackend[]> {
  return database.rows(
    signalSchema,
    `select a.pid, pg_cancel_backend(a.pid) as signalled ${CLIENTS} and ${OWN}`,
    ownParameters(own),
  );
}

export type GoneResult =
  | { readonly kind: 'gone' }
  | { readonly kind: 'still_there'; readonly sessions: readonly Session[] };

/**
 * Waits until no session of one program is left. The death of a client does not end its backend while that waits
 * for a lock, so what a program did is known only afterwards.
 */
export async function waitGone(database: Queryable, own: SessionsOf, timeoutMs: number): Promise<GoneResult> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const sessions = await readOwnSessions(database, own);
    if (sessions.length === 0) return { kind: 'gone' };
    if (Date.now() >= deadline) return { kind: 'still_there', sessions };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The server keeps 63 bytes of an application name and shows other than printable ASCII as `?`. */
export function shownName(applicationName: string): string {
  const bytes = Buffer.from(applicationName, 'utf8').subarray(0, 63);
  return [...bytes].map((byte) => (byte < 32 || byte > 126 ? '?' : String.fromCharCode(byte))).join('');
}
