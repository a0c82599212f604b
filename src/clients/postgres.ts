import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { z } from 'zod';
import { describeFailure, SQLSTATE } from './postgres/failure.js';
import { parseDatabaseUrl, tlsOptions } from './postgres/url.js';

export interface ConnectOptions {
  readonly url: string;
  /** Shows in pg_stat_activity, by which a session is found again. */
  readonly applicationName: string;
  /** Milliseconds; 0 for none. */
  readonly statementTimeoutMs: number;
  /** Milliseconds; 0 for none. */
  readonly lockTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** Called for what comes on the channels that the session listens to. */
  readonly onNotification?: (channel: string) => void;
  /** Called when the connection has ended, by whatever cause. */
  readonly onEnd?: () => void;
}

export interface QueryResult {
  /** Values as the driver reads them: bigint and numeric are strings, timestamps are Dates. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** Rows returned or changed. */
  readonly rowCount: number;
}

/** A statement that the server plans once for each session, under its name; names are of our own choosing. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** A row as the server writes it: every value its text. */
export type TextRow = readonly (string | null)[];

export interface Queryable {
  /** One statement, parameters as $1, $2. Throws the driver's error; `attempt` turns that into a value. */
  query(sql: string, parameters?: readonly unknown[]): Promise<QueryResult>;
  /** Like `query`, with every row parsed. */
  rows<T>(schema: z.ZodType<T>, sql: string, parameters?: readonly unknown[]): Promise<T[]>;
  /** For what runs many times a second: planned once, rows as the server's texts in the order of the columns. */
  prepared(statement: Statement, parameters: readonly unknown[]): Promise<readonly TextRow[]>;
}

export interface TransactionOptions {
  readonly readOnly?: boolean;
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable';
}

export interface Database extends Queryable {
  /** Process id of the server's backend. */
  readonly backendPid: number;
  /** Commits when `work` returns, rolls back when it throws. One at a time on one connection. */
  transaction<T>(work: (queryable: Queryable) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * Rolls back, always, and returns what `work` returned.
   * @throws RollbackEscaped when `work` ended the transaction itself, so that something may have stayed.
   */
  rolledBack<T>(work: (queryable: Queryable) => Promise<T>, options?: TransactionOptions): Promise<T>;
  close(): Promise<void>;
}

export type Connection =
  | { readonly kind: 'connected'; readonly database: Database }
  | {
      readonly kind: 'unreachable';
      readonly cause: 'url' | 'network' | 'authentication' | 'no_database' | 'not_ready' | 'other';
      readonly message: string;
    };

/** A statement inside a transaction that had to be rolled back ended that transaction. */
export class RollbackEscaped extends Error {
  override readonly name = 'RollbackEscaped';
  constructor(options?: ErrorOptions) {
    super(
      'A statement ended the transaction that was to be rolled back; its changes may have stayed.',
      options,
    );
  }
}

/** Opens one connection. Nothing is taken from the environment: what is not in the options or URL isn't used. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const parsed = parseDatabaseUrl(options.url);
  if (parsed.kind === 'bad_url') return { kind: 'unreachable', cause: 'url', message: parsed.problem };
  const { host, port, user, password, database, parameters } = parsed.address;
  let client: pg.Client;
  try {
    client = new pg.Client({
      host,
      port,
      user,
      database,
      // A function, since the driver would fill an empty value from PGPASSWORD or a password file.
      password: () => password ?? '',
      ssl: tlsOptions(parameters),
      application_name: options.applicationName,
      // Always set, so that PGOPTIONS of this process is not used. Ours come last and win.
      options: [
        parameters.options ?? '',
        `-c statement_timeout=${Math.round(options.statementTimeoutMs)}`,
        `-c lock_timeout=${Math.round(options.lockTimeoutMs)}`,
      ].join(' '),
      connectionTimeoutMillis: options.connectTimeoutMs,
      keepAlive: true,
      // The server's timeout cannot act when the network swallows its answer.
      ...(options.statementTimeoutMs > 0 ? { query_timeout: options.statementTimeoutMs + 5_000 } : {}),
    });
  } catch (error) {
    // A certificate file that cannot be read.
    return unreachable(error);
  }
  // An idle connection that dies emits an error; the next query then fails and tells.
  client.on('error', () => {});
  const { onNotification, onEnd } = options;
  if (onNotification !== undefined) client.on('notification', ({ channel }) => onNotification(channel));
  if (onEnd !== undefined) client.on('end', onEnd);
  try {
    await client.connect();
  } catch (error) {
    // A session that is left in the middle of its login holds up every DROP DATABASE of the server.
    client.end().catch(() => undefined);
    return unreachable(error);
  }
  const queryable = queryableOf(client);
  const [session] = await queryable.rows(z.object({ pid: z.int() }), 'select pg_backend_pid() as pid');
  let open = false;

  async function within<T>(
    work: (queryable: Queryable) => Promise<T>,
    transaction: TransactionOptions,
    finish: () => Promise<void>,
  ): Promise<T> {
    if (open) throw new Error('A transaction is open on this connection already.');
    open = true;
    try {
      const isolation = transaction.isolation ?? 'read committed';
      await client.query(
        `begin isolation level ${isolation} ${transaction.readOnly ? 'read only' : 'read write'}`,
      );
      let value: T;
      try {
        value = await work(queryable);
      } catch (error) {
        // The first error is the one to report; a lost connection rolls back by itself.
        await client.query('rollback').catch(() => undefined);
        throw error;
      }
      await finish();
      return value;
    } finally {
      open = false;
    }
  }

  return {
    kind: 'connected',
    database: {
      ...queryable,
      backendPid: session?.pid ?? 0,
      async transaction(work, transaction = {}) {
        return within(work, transaction, async () => {
          // COMMIT of a failed transaction reports ROLLBACK and no error.
          const { command } = await client.query('commit');
          if (command !== 'COMMIT') throw new Error('The transaction had failed and was rolled back.');
        });
      },
      async rolledBack(work, transaction = {}) {
        const token = randomUUID();
        return within(
          async (inner) => {
            await client.query("select set_config('m10bot.rolled_back', $1, true)", [token]);
            try {
              return await work(inner);
            } catch (cause) {
              const inside = await stillInside(client, token).catch(() => true);
              throw inside ? cause : new RollbackEscaped({ cause });
            }
          },
          transaction,
          async () => {
            const inside = await stillInside(client, token);
            await client.query('rollback');
            if (!inside) throw new RollbackEscaped();
          },
        );
      },
      async close() {
        await client.end().catch(() => undefined);
      },
    },
  };
}

function queryableOf(client: pg.Client): Queryable {
  async function query(sql: string, parameters: readonly unknown[] = []): Promise<QueryResult> {
    // The extended protocol takes one statement only, so that nothing can be appended to it.
    const config = { text: sql, values: [...parameters], queryMode: 'extended' };
    const result = await client.query<Record<string, unknown>>(config);
    return { rows: result.rows, rowCount: result.rowCount ?? 0 };
  }
  return {
    query,
    async rows(schema, sql, parameters) {
      return z.array(schema).parse((await query(sql, parameters)).rows);
    },
    async prepared(statement, parameters) {
      const { rows } = await client.query<(string | null)[]>({
        ...statement,
        values: [...parameters],
        rowMode: 'array',
        types: { getTypeParser: () => asText },
      });
      return rows;
    },
  };
}

/** Keeps a value as the server wrote it, instead of what the driver would make of its type. */
function asText(value: string): string {
  return value;
}

/** A transaction-local setting is gone as soon as its transaction ends, even when another one was begun. */
async function stillInside(client: pg.Client, token: string): Promise<boolean> {
  try {
    const { rows } = await client.query<Record<string, unknown>>(
      "select current_setting('m10bot.rolled_back', true) = $1 as inside",
      [token],
    );
    return rows[0]?.inside === true;
  } catch (error) {
    const failure = describeFailure(error);
    // A transaction that has failed is still the same transaction.
    if (failure?.kind === 'sql_error' && failure.code === SQLSTATE.inFailedTransaction) return true;
    throw error;
  }
}

function unreachable(error: unknown): Connection {
  const message = error instanceof Error ? error.message || String(error) : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const firstOf = error instanceof AggregateError ? error.errors.map(String).join('; ') : message;
  const at = (cause: (Connection & { kind: 'unreachable' })['cause']): Connection => ({
    kind: 'unreachable',
    cause,
    message: firstOf,
  });
  if (/^28/.test(code) || /password|SASL/.test(message)) return at('authentication');
  if (code === '3D000') return at('no_database');
  if (/^(57P03|53300)$/.test(code)) return at('not_ready');
  return describeFailure(error)?.kind === 'connection_lost' ? at('network') : at('other');
}
