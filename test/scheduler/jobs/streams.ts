import type { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { streamNames } from '../../../src/clients/m10/stream-names.js';
import { connect, type Database, type Queryable } from '../../../src/clients/postgres.js';
import { openRedis } from '../../../src/clients/redis-connection.js';
import type { TargetConfig } from '../../../src/config.js';
import { type JobContext, JobFailure } from '../../../src/scheduler/job.js';
import { after, createWorld, type World } from '../../checks/world.js';
import { freshRedis } from '../../support/database.js';

/** One database at 022 and one empty Redis, for all tests of a file; both are empty before each. */
export interface Streams {
  readonly world: World;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** For looking and filling, never broken. */
  readonly database: Database;
  readonly redis: Redis;
  readonly target: TargetConfig;
  /** Sessions of one run, as a replica has them; closed after the test. */
  session(options?: Breaks & { readonly redisUrl?: string; readonly databaseUrl?: string }): Promise<Session>;
  context(given?: Partial<JobContext>): Promise<JobContext>;
  sql(text: string, ...parameters: unknown[]): Promise<Record<string, unknown>[]>;
  /** Puts messages into the main stream and has them delivered, so that they are pending. @returns their ids */
  pending(count: number): Promise<string[]>;
  /** Adds a dead letter; `fields` win over the usual ones. @returns its id */
  deadLetter(original: string | null, fields?: Readonly<Record<string, string | Buffer>>): Promise<string>;
  pendingIds(): Promise<string[]>;
  /** Dead letters of pending messages, and pending messages without one. */
  fill(count: number, others?: number): Promise<{ messages: string[]; letters: string[]; others: string[] }>;
  /** Ids of the archived dead letters, in the order in which they came. */
  archived(): Promise<string[]>;
}

export interface Breaks {
  /** Both connections break before the command after this many, as in `kill -9`. */
  readonly breakAfter?: number;
  /** Called before each command with its number from 1. */
  readonly onCommand?: (count: number) => void;
}

export interface Session {
  readonly database: Database;
  readonly redis: Redis;
  /** Commands and statements so far. */
  count(): number;
}

export function useStreams(): Streams {
  let world: World;
  let urls: { database: string; redis: string };
  let database: Database;
  let redis: Redis;
  let drop: () => Promise<void>;
  const open: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    world = await createWorld();
    const [target, store] = await Promise.all([world.databaseAt(after), freshRedis()]);
    urls = { database: target.url, redis: store.url };
    drop = store.drop;
    database = await opened(target.url);
    redis = await openRedis({ redisUrl: store.url }, 'test');
  });
  afterAll(async () => {
    await database?.close();
    await drop?.();
    redis?.disconnect();
    await world?.drop();
  });
  beforeEach(async () => {
    await redis.flushdb();
    await database.query(
      'truncate m10_recovery.dead_letter_archive, m10_recovery.replay_log, m10_recovery.outbox, m10_recovery.distributed_locks',
    );
  });
  afterEach(async () => {
    for (const session of open.splice(0)) await session.close();
  });

  async function session(
    options: Breaks & { readonly redisUrl?: string; readonly databaseUrl?: string } = {},
  ): Promise<Session> {
    const real = await opened(options.databaseUrl ?? urls.database);
    const store = await openRedis({ redisUrl: options.redisUrl ?? urls.redis }, 'test');
    open.push({
      async close() {
        await real.close();
        store.disconnect();
      },
    });
    let count = 0;
    /** @throws what a connection that was cut says */
    const step = () => {
      if (count >= (options.breakAfter ?? Number.POSITIVE_INFINITY)) throw new Error('Connection terminated');
      count += 1;
      options.onCommand?.(count);
    };
    const send = store.sendCommand.bind(store);
    store.sendCommand = (command, stream) => {
      try {
        step();
      } catch {
        command.reject(new Error('Connection is closed.'));
        return command.promise;
      }
      return send(command, stream);
    };
    const stepped = (queryable: Queryable): Queryable => ({
      async query(sql, parameters) {
        step();
        return queryable.query(sql, parameters);
      },
      async rows(schema, sql, parameters) {
        step();
        return queryable.rows(schema, sql, parameters);
      },
      async prepared(statement, parameters) {
        step();
        return queryable.prepared(statement, parameters);
      },
    });
    return { database: { ...real, ...stepped(real) }, redis: store, count: () => count };
  }

  const streams: Streams = {
    get world() {
      return world;
    },
    get databaseUrl() {
      return urls.database;
    },
    get redisUrl() {
      return urls.redis;
    },
    get database() {
      return database;
    },
    get redis() {
      return redis;
    },
    get target() {
      return world.target({ databaseUrl: urls.database, redisUrl: urls.redis });
    },
    session,
    async context(given = {}) {
      const own = await session();
      return {
        target: world.target({ databaseUrl: urls.database, redisUrl: urls.redis }),
        database: own.database,
        redis: async () => own.redis,
        lock: { name: 'm10:test', holder: 'test:host:1', held: () => true },
        signal: new AbortController().signal,
        dryRun: false,
        redact: (text) => text,
        now: Date.now,
        log: { info: () => {}, warn: () => {}, error: () => {} },
        ...given,
      };
    },
    async sql(text, ...parameters) {
      return [...(await database.query(text, parameters)).rows];
    },
    async pending(count) {
      await redis
        .xgroup('CREATE', streamNames.main, streamNames.group, '0', 'MKSTREAM')
        .catch(() => undefined);
      const pipeline = redis.pipeline();
      for (let i = 0; i < count; i += 1) {
        pipeline.xadd(streamNames.main, '*', 'candidate_id', String(i + 1), 'body', `message ${i}`);
      }
      const ids = ((await pipeline.exec()) ?? []).map(([, id]) => String(id));
      await redis.xreadgroup(
        'GROUP',
        streamNames.group,
        'worker',
        'COUNT',
        count,
        'STREAMS',
        streamNames.main,
        '>',
      );
      return ids;
    },
    async deadLetter(original, fields = {}) {
      const usual = {
        ...(original === null ? {} : { original_msg_id: original }),
        candidate_id: '7',
        failure_match_id: '0f8fad5b-d9cb-469f-a165-70867728950e',
        reason: 'too many reclaims',
        reclaim_count: '5',
        body: 'a message',
      };
      const id = await redis.xadd(
        streamNames.deadLetters,
        '*',
        ...Object.entries({ ...usual, ...fields }).flat(),
      );
      return String(id);
    },
    async pendingIds() {
      const answer = await redis.xpending(streamNames.main, streamNames.group, '-', '+', 100_000);
      return answer.map((entry) => (Array.isArray(entry) ? String(entry[0]) : ''));
    },
    async fill(count, others = 2) {
      const messages = await streams.pending(count + others);
      const letters: string[] = [];
      for (const message of messages.slice(0, count)) letters.push(await streams.deadLetter(message));
      return { messages: messages.slice(0, count), letters, others: messages.slice(count) };
    },
    async archived() {
      const rows = await streams.sql('select dl_msg_id from m10_recovery.dead_letter_archive order by id');
      return rows.map((row) => String(row.dl_msg_id));
    },
  };
  return streams;
}

/** @returns the failure of a job that must fail */
export async function failureOf(work: Promise<unknown>): Promise<JobFailure> {
  try {
    await work;
  } catch (error) {
    if (error instanceof JobFailure) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

async function opened(url: string): Promise<Database> {
  const connection = await connect({
    url,
    applicationName: 'm10bot:test',
    statementTimeoutMs: 60_000,
    lockTimeoutMs: 30_000,
    connectTimeoutMs: 10_000,
  });
  if (connection.kind !== 'connected') throw new Error(connection.message);
  return connection.database;
}

/** Keeps the locks of a statement until the test gives them back. */
export async function holdLocks(url: string, statement: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('begin');
  await client.query(statement);
  return () => client.end();
}
