import { attempt, type PostgresFailure } from '../clients/postgres/failure.js';
import { type ConnectOptions, connect, type Database } from '../clients/postgres.js';
import type { TargetConfig } from '../config.js';
import type { Outcome } from '../runbook/step-kind.js';
import { unknown } from './outcome.js';

export interface SessionOptions {
  readonly applicationName: string;
  /** Milliseconds; 10 s when not given. */
  readonly statementTimeoutMs?: number;
  /** Milliseconds; 3 s when not given. */
  readonly lockTimeoutMs?: number;
}

export type SessionResult<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'unreachable'; readonly message: string }
  | PostgresFailure;

/** Opens one connection to a target's database for `work` and closes it. What PostgreSQL refuses is a value. */
export async function withSession<T>(
  target: TargetConfig,
  options: SessionOptions,
  work: (database: Database) => Promise<T>,
): Promise<SessionResult<T>> {
  const settings: ConnectOptions = {
    url: target.databaseUrl,
    applicationName: options.applicationName,
    statementTimeoutMs: options.statementTimeoutMs ?? 10_000,
    lockTimeoutMs: options.lockTimeoutMs ?? 3_000,
    connectTimeoutMs: 5_000,
  };
  const connection = await connect(settings);
  if (connection.kind === 'unreachable') return { kind: 'unreachable', message: connection.message };
  try {
    return await attempt(() => work(connection.database));
  } finally {
    await connection.database.close();
  }
}

export type SessionFailure = Exclude<SessionResult<never>, { readonly kind: 'ok' }>;

/** What went wrong, in words for people. */
export function explain(failure: SessionFailure): string {
  switch (failure.kind) {
    case 'unreachable':
      return `cannot be reached (${failure.message})`;
    case 'connection_lost':
      return `dropped the connection (${failure.message})`;
    case 'sql_error':
      return `answered with an error (${failure.message}, SQLSTATE ${failure.code})`;
  }
}

/** For a check: its question has no answer when the database gave none. */
export function unread(target: string, what: string, failure: SessionFailure): Outcome {
  const output =
    failure.kind === 'sql_error'
      ? [failure.message, failure.detail, failure.hint, failure.context].filter((l) => l !== null).join('\n')
      : failure.message;
  return unknown(`${what} could not be read: the database of ${target} ${explain(failure)}`, { output });
}

/** Runs a check over one session; a database that gives no answer makes the outcome unknown. */
export async function checkOver(
  context: { readonly target: TargetConfig; readonly applicationName: string },
  what: string,
  work: (database: Database) => Promise<Outcome>,
): Promise<Outcome> {
  const read = await withSession(context.target, context, work);
  return read.kind === 'ok' ? read.value : unread(context.target.name, what, read);
}
