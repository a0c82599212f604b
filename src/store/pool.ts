import pg from 'pg';

export interface PoolOptions {
  /** A PostgreSQL connection URL, or what the driver is to be given in its place. */
  readonly url: string | pg.ClientConfig;
  /** Most connections open at once. */
  readonly max: number;
  /** Shown in `pg_stat_activity.application_name`. */
  readonly applicationName: string;
  /** Called when a connection breaks while it is idle; the pool replaces it by itself. */
  readonly onError: (error: Error) => void;
}

/** Longest wait for a connection, in ms. */
const CONNECT_TIMEOUT = 10_000;

/** Longest wait for an answer, in ms. No query of the store comes near it: it is for a dead network. */
const QUERY_TIMEOUT = 30_000;

/**
 * Opens a pool for the bot's own database.
 *
 * Timeouts are kept on the client's side: a transaction pooler in between refuses unknown start-up
 * parameters such as `statement_timeout`, and forgets settings made by `SET`.
 */
export function createPool(options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    ...(typeof options.url === 'string' ? { connectionString: options.url } : options.url),
    max: options.max,
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    query_timeout: QUERY_TIMEOUT,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // Without a listener, a database restart would end the process.
  pool.on('error', options.onError);
  return pool;
}
