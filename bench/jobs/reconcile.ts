import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { z } from 'zod';
import { streamNames } from '../../src/clients/m10/stream-names.js';
import { connect, type Database } from '../../src/clients/postgres.js';
import { openRedis } from '../../src/clients/redis-connection.js';
import { GatePolicy } from '../../src/runbook/definition.js';
import { createDlReconcile } from '../../src/scheduler/jobs/dl-reconcile.js';
import { layoutBackend } from '../../workspace/backend/layout.js';
import { median, spread, table } from '../table.js';
import type { World } from '../world.js';
import { hardenedDatabase, withClient } from './target.js';

export interface ReconcileSize {
  /** Messages that are pending and dead letters of them, each. */
  readonly messages: number;
}

interface Measured {
  readonly ms: number;
  readonly redisTrips: number;
  readonly statements: number;
}

/** dl-reconcile beside the sample backend's own script, without the start of its interpreter, in turn. */
export async function benchReconcile(world: World, rounds: number, size: ReconcileSize): Promise<string> {
  const databaseUrl = await hardenedDatabase(world);
  const redisUrl = world.services.redis.createDb();
  const { directory } = await layoutBackend({ directory: `${await world.folder()}/backend` });
  const place = { databaseUrl, redisUrl, directory };
  const players = { job: () => runJob(place), script: () => runScript(world, place) };
  const figures: Record<keyof typeof players, Measured[]> = { job: [], script: [] };
  const ratios: number[] = [];
  // Compiles, connects and fills the caches of both.
  for (const play of Object.values(players)) {
    await fill(place, 1_000);
    await play();
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const who of round % 2 === 0 ? (['job', 'script'] as const) : (['script', 'job'] as const)) {
      await fill(place, size.messages);
      figures[who].push(await players[who]());
      await expectReconciled(place, size.messages);
    }
    const [own, other] = [figures.job.at(-1), figures.script.at(-1)];
    if (own !== undefined && other !== undefined) ratios.push(own.ms / other.ms);
  }
  const row = (name: string, list: readonly Measured[]) => [
    name,
    spread(
      list.map(({ ms }) => ms),
      0,
    ),
    String(median(list.map(({ redisTrips }) => redisTrips))),
    String(median(list.map(({ statements }) => statements))),
  ];
  const count = size.messages.toLocaleString('en');
  return table(
    [`${count} pending and ${count} dead letters`, 'ms', 'round trips to Redis', 'statements'],
    [
      row('dl-reconcile', figures.job),
      row('`scripts.ops.reconcile_dl`', figures.script),
      ['ratio', median(ratios).toFixed(2), '', ''],
    ],
  );
}

interface Place {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly directory: string;
}

async function fill({ databaseUrl, redisUrl }: Place, count: number): Promise<void> {
  const redis = new Redis(redisUrl);
  try {
    await redis.flushdb();
    const { main, group, deadLetters } = streamNames;
    await redis.xgroup('CREATE', main, group, '0', 'MKSTREAM');
    const messages = redis.pipeline();
    for (let i = 0; i < count; i += 1) messages.xadd(main, '*', 'candidate_id', String(i));
    const ids = ((await messages.exec()) ?? []).map(([, id]) => String(id));
    await redis.xreadgroup('GROUP', group, 'worker', 'COUNT', count, 'STREAMS', main, '>');
    const letters = redis.pipeline();
    for (const [i, id] of ids.entries()) {
      letters.xadd(
        deadLetters,
        '*',
        ...['original_msg_id', id, 'candidate_id', String(i)],
        ...['failure_match_id', `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`],
        ...['reason', 'too many reclaims', 'reclaim_count', '5', 'context', 'x'.repeat(200)],
      );
    }
    await letters.exec();
  } finally {
    redis.disconnect();
  }
  await withClient(databaseUrl, async (client) => {
    await client.query('TRUNCATE m10_recovery.dead_letter_archive, m10_recovery.replay_log');
    await client.query('CHECKPOINT');
  });
}

/** @throws Error when something was left, for a fast run that did nothing proves nothing */
async function expectReconciled({ databaseUrl, redisUrl }: Place, count: number): Promise<void> {
  const redis = new Redis(redisUrl);
  try {
    const [pending] = await redis.xpending(streamNames.main, streamNames.group);
    const archived = await withClient(databaseUrl, async (client) => {
      const { rows } = await client.query<{ count: number }>(
        'SELECT count(*)::int AS count FROM m10_recovery.dead_letter_archive',
      );
      return rows[0]?.count;
    });
    if (pending !== 0 || archived !== count) throw new Error(`${archived} archived, ${pending} pending`);
  } finally {
    redis.disconnect();
  }
}

async function runJob({ databaseUrl, redisUrl, directory }: Place): Promise<Measured> {
  const connection = await connect({
    url: databaseUrl,
    applicationName: 'bench reconcile',
    statementTimeoutMs: 0,
    lockTimeoutMs: 0,
    connectTimeoutMs: 5_000,
  });
  if (connection.kind !== 'connected') throw new Error(connection.message);
  const redis = await openRedis({ redisUrl }, 'bench');
  try {
    const trips = countTrips(redis);
    const { database, statements } = counting(connection.database);
    const started = performance.now();
    await createDlReconcile().run({
      target: {
        name: 'bench',
        databaseUrl,
        redisUrl,
        directory,
        env: {},
        metricsUrl: null,
        gate: GatePolicy.parse({}),
      },
      database,
      redis: async () => redis,
      lock: { name: 'm10:reconcile_dl', holder: 'bench', held: () => true },
      signal: new AbortController().signal,
      dryRun: false,
      redact: (text) => text,
      now: Date.now,
      log: { info: () => {}, warn: () => {}, error: () => {} },
    });
    return { ms: performance.now() - started, redisTrips: trips(), statements: statements() };
  } finally {
    redis.disconnect();
    await connection.database.close();
  }
}

/** A round trip begins when a command is sent while no other waits for its answer. */
function countTrips(redis: Redis): () => number {
  let trips = 0;
  let waiting = 0;
  const send = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, stream) => {
    if (waiting === 0) trips += 1;
    waiting += 1;
    const done = () => {
      waiting -= 1;
    };
    command.promise.then(done, done);
    return send(command, stream);
  };
  return () => trips;
}

function counting(database: Database): { database: Database; statements: () => number } {
  let count = 0;
  return {
    statements: () => count,
    database: {
      ...database,
      query(sql, parameters) {
        count += 1;
        return database.query(sql, parameters);
      },
      rows(schema, sql, parameters) {
        count += 1;
        return database.rows(schema, sql, parameters);
      },
    },
  };
}

/** The function behind the script, timed and counted where it runs. */
const PEER = `
import json, time
import psycopg2.extensions
import redis.connection
from app.connect import database, redis_client
from app.dead_letters import reconcile

counted = {"redisTrips": 0, "statements": 0}

class Cursor(psycopg2.extensions.cursor):
    def execute(self, *args):
        counted["statements"] += 1
        return super().execute(*args)

send = redis.connection.Connection.send_packed_command
def send_counted(self, *args, **kwargs):
    counted["redisTrips"] += 1
    return send(self, *args, **kwargs)
redis.connection.Connection.send_packed_command = send_counted

connection, client = database(), redis_client()
connection.cursor_factory = Cursor
client.ping()
counted["redisTrips"] = 0
started = time.perf_counter()
reconcile(connection, client, "bench", False)
print(json.dumps({"ms": (time.perf_counter() - started) * 1000, **counted}))
`;

const Answer = z.object({ ms: z.number(), redisTrips: z.number(), statements: z.number() });

async function runScript(world: World, { databaseUrl, redisUrl, directory }: Place): Promise<Measured> {
  const { stdout } = await promisify(execFile)('python3', ['-c', PEER], {
    cwd: directory,
    env: { PATH: world.tools.value, PYTHONPATH: '.', DATABASE_URL: databaseUrl, REDIS_URL: redisUrl },
  });
  return Answer.parse(JSON.parse(stdout));
}
