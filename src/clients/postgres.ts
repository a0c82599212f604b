import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { z } from 'zod';
import { openClient, type SessionOptions, type Unreachable } from './postgres/connecting.js';
import { describeFailure, SQLSTATE } from './postgres/failure.js';

export interface ConnectOptions extends SessionOptions {
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

export type Connection = { readonly kind: 'connected'; readonly database: Database } | Unreachable;

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

/** Opens one connection; see `openClient` for what is made sure of. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const opened = await openClient(options);
  if (opened.kind === 'unreachable') return opened;
  const { client, pid } = opened;
  const { onNotification, onEnd } = options;
  if (onNotification !== undefined) client.on('notification', ({ channel }) => onNotification(channel));
  if (onEnd !== undefined) client.on('end', onEnd);
  const queryable = queryableOf(client);
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
      backendPid: pid,
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
