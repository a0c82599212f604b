import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { connect, type Database } from '../../../src/clients/postgres.js';
import { createProcesses } from '../../../src/clients/process.js';
import { JobsFile } from '../../../src/config-jobs.js';
import type { JobContext, JobResult } from '../../../src/scheduler/job.js';
import {
  createOutboxProcessor,
  type OutboxProcessorDeps,
} from '../../../src/scheduler/jobs/outbox-processor.js';
import type { OutboxSeen } from '../../../src/scheduler/observe.js';
import type { Notice } from '../../../src/scheduler/outbox/notify.js';
import { after, createWorld, sql, type World } from '../../checks/world.js';

export const CHANNEL = 'CINCIDENT';

/** A row of the outbox. */
export type Row = Record<string, unknown>;

/** What a receiver got. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly id: string;
}

export interface Receiver {
  port: number;
  /** `http://127.0.0.1:<port>` */
  url: string;
  readonly got: Received[];
  /** The most requests that were under way at once. */
  readonly most: number;
  /** Answers instead of 200. */
  answer: (received: Received, response: ServerResponse) => void | Promise<void>;
}

export interface RunOptions {
  /** Beneath `outbox-processor` of the configuration. */
  readonly config?: object;
  readonly deps?: Partial<OutboxProcessorDeps>;
  readonly context?: Partial<JobContext>;
}

/** A target at 022 with an outbox, the processor, and receivers. */
export interface Post {
  readonly url: string;
  readonly world: World;
  readonly notices: Notice[];
  readonly seen: OutboxSeen[];
  /** Publishes through the target's own function; an aggregate of its own unless one is named. */
  publish(eventType: string, payload: unknown, aggregate?: string): Promise<string>;
  rows(): Promise<Row[]>;
  row(id: string): Promise<Row>;
  sql(text: string): Promise<Row[]>;
  open(): Promise<Database>;
  receiver(): Promise<Receiver>;
  /** One run of the job on a session of its own. */
  run(options?: RunOptions): Promise<JobResult>;
}

export function usePost(): Post {
  let world: World;
  let url = '';
  let aggregates = 0;
  let runs = 0;
  const notices: Notice[] = [];
  const seen: OutboxSeen[] = [];
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    world = await createWorld();
    url = (await world.databaseAt(after)).url;
  });
  beforeEach(async () => {
    notices.length = 0;
    seen.length = 0;
    await sql(url, 'truncate m10_recovery.outbox, m10_recovery.dead_letter_archive restart identity');
  });
  afterEach(async () => {
    await Promise.all(ends.splice(0).map((end) => end()));
  });
  afterAll(async () => {
    await world?.drop();
  });

  async function open(): Promise<Database> {
    const connection = await connect({
      url,
      applicationName: 'outbox-processor',
      statementTimeoutMs: 60_000,
      lockTimeoutMs: 10_000,
      connectTimeoutMs: 10_000,
    });
    if (connection.kind === 'unreachable') throw new Error(connection.message);
    ends.push(() => connection.database.close());
    return connection.database;
  }

  const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;
  return {
    get url() {
      return url;
    },
    get world() {
      return world;
    },
    notices,
    seen,
    open,
    async publish(eventType, payload, aggregate = `a${++aggregates}`) {
      const [row] = await sql(
        url,
        `select m10_recovery.publish_outbox('order', ${quote(aggregate)}, ${quote(eventType)}, ${quote(JSON.stringify(payload))})::text as id`,
      );
      return String(row?.id);
    },
    rows: () => sql(url, 'select * from m10_recovery.outbox order by id'),
    async row(id) {
      const [row] = await sql(url, `select * from m10_recovery.outbox where id = ${id}`);
      if (row === undefined) throw new Error(`no event ${id}`);
      return row;
    },
    sql: (text) => sql(url, text),
    async receiver() {
      const { server, receiver } = await startReceiver();
      ends.push(async () => {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      });
      return receiver;
    },
    async run({ config = {}, deps = {}, context = {} } = {}) {
      runs += 1;
      const jobs = JobsFile.parse({ target: 'production', 'outbox-processor': config });
      const job = createOutboxProcessor({
        config: jobs['outbox-processor'],
        channel: CHANNEL,
        notice: async (notice) => {
          notices.push(notice);
        },
        processes: createProcesses({ directory: join(world.directory, 'outbox-children') }),
        observer: { outbox: (event) => seen.push(event), archived: () => {} },
        random: () => 0,
        ...deps,
      });
      const own = context.database ?? (await open());
      try {
        return await job.run({
          target: world.target({ databaseUrl: url }),
          database: own,
          redis: async () => {
            throw new Error('no Redis here');
          },
          lock: { name: job.lock, holder: `m10bot:test:${runs}`, held: () => true },
          signal: new AbortController().signal,
          dryRun: false,
          redact: (text) => text,
          now: Date.now,
          log: { info: () => {}, warn: () => {}, error: () => {} },
          ...context,
        });
      } finally {
        if (context.database === undefined) await own.close();
      }
    },
  };
}

async function startReceiver(): Promise<{ server: Server; receiver: Receiver }> {
  let running = 0;
  let most = 0;
  const receiver: Receiver = {
    port: 0,
    url: '',
    got: [],
    get most() {
      return most;
    },
    answer: (_, response) => {
      response.end('fine');
    },
  };
  const server = createServer(async (request, response) => {
    running += 1;
    most = Math.max(most, running);
    response.on('close', () => {
      running -= 1;
    });
    const body = await bodyOf(request).catch(() => null);
    if (body === null) return;
    const received = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body,
      id: String(request.headers['idempotency-key']),
    };
    receiver.got.push(received);
    await receiver.answer(received, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the receiver has no port');
  const { port } = address;
  receiver.port = port;
  receiver.url = `http://127.0.0.1:${port}`;
  return { server, receiver };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
