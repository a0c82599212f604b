import pg from 'pg';

/** What the server or the network answered instead of rows. */
export type PostgresFailure =
  | {
      readonly kind: 'sql_error';
      /** SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html */
      readonly code: string;
      readonly message: string;
      readonly detail: string | null;
      readonly hint: string | null;
      /** Where inside functions it happened. */
      readonly context: string | null;
    }
  | { readonly kind: 'connection_lost'; readonly message: string };

export type Attempt<T> = { readonly kind: 'ok'; readonly value: T } | PostgresFailure;

/** SQLSTATEs that steps tell apart. */
export const SQLSTATE = {
  lockNotAvailable: '55P03',
  /** statement_timeout and pg_cancel_backend alike. */
  queryCanceled: '57014',
  insufficientPrivilege: '42501',
  undefinedTable: '42P01',
  undefinedColumn: '42703',
  invalidSchema: '3F000',
  inFailedTransaction: '25P02',
} as const;

/** Runs `work` and returns what PostgreSQL refused as a value. Anything else is a bug and is thrown on. */
export async function attempt<T>(work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { kind: 'ok', value: await work() };
  } catch (error) {
    const failure = describeFailure(error);
    if (failure === null) throw error;
    return failure;
  }
}

/** Reads an error of the driver; null when it is not one of PostgreSQL or the connection to it. */
export function describeFailure(error: unknown): PostgresFailure | null {
  if (error instanceof pg.DatabaseError) {
    const code = error.code ?? 'unknown';
    if (endsSession(error)) return { kind: 'connection_lost', message: error.message };
    return {
      kind: 'sql_error',
      code,
      message: error.message,
      detail: error.detail ?? null,
      hint: error.hint ?? null,
      context: error.where ?? null,
    };
  }
  if (!(error instanceof Error) || isMistakeOfCode(error)) return null;
  // The system's and TLS' errors have a code. The driver has no class and no code for these.
  const isDriver =
    /^(Connection terminated|Client has encountered a connection error|Client was closed|Query read timeout|timeout expired)/;
  return hasCode(error) || isDriver.test(error.message)
    ? { kind: 'connection_lost', message: error.message || String(error) }
    : null;
}

/**
 * Whether the server ended the session with it: classes 08 (connection) and 57P (operator intervention), sessions
 * that idled too long in a transaction, and whatever else the server calls fatal.
 */
function endsSession(error: pg.DatabaseError): boolean {
  return (
    /^(08|57P|25P0[34])/.test(error.code ?? '') || error.severity === 'FATAL' || error.severity === 'PANIC'
  );
}

/** Errors that JavaScript itself throws; Node gives some of them a code as well. */
export function isMistakeOfCode(error: Error): boolean {
  return [TypeError, RangeError, ReferenceError, SyntaxError].some((kind) => error instanceof kind);
}

/** As Node has it on errors of the system, the network and TLS. */
export function hasCode(error: Error): error is Error & { readonly code: string } {
  return 'code' in error && typeof error.code === 'string' && error.code !== '';
}
