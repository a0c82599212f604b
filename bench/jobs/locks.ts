import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { acquireLock, releaseLock } from '../../src/clients/m10/locks.js';
import { connect, type Database } from '../../src/clients/postgres.js';
import { median, spread, table } from '../table.js';
import type { World } from '../world.js';
import { TAKEOVER_LOCK } from './lock-name.js';
import { findPgbench, NO_PGBENCH, pgbench } from './pgbench.js';
import { hardenedDatabase } from './target.js';

export interface LocksSize {
  /** Acquired and released, a round. */
  readonly pairs: number;
  /** Seconds. */
  readonly ttls: readonly number[];
}

/** How often the next leader asks, ms: what the schedule of a job adds is its own. */
const ASK_EVERY_MS = 20;

/** No colon in the name: pgbench takes what follows one for a variable. */
const PAIR = `SELECT m10_recovery.acquire_lock('bench_limit', 'pgbench', 300);
SELECT m10_recovery.release_lock('bench_limit', 'pgbench');
`;

/** Pairs of acquire and release beside pgbench, and how long a killed leader's lock stands. */
export async function benchLocks(world: World, rounds: number, size: LocksSize): Promise<string> {
  const url = await hardenedDatabase(world);
  const connection = await connect({
    url,
    applicationName: 'bench locks',
    statementTimeoutMs: 0,
    lockTimeoutMs: 0,
    connectTimeoutMs: 5_000,
  });
  if (connection.kind !== 'connected') throw new Error(connection.message);
  const { database } = connection;
  try {
    return `${await pairs(world, rounds, size, url, database)}\n\n${await takeovers(world, rounds, size, url, database)}`;
  } finally {
    await database.close();
  }
}

async function pairs(world: World, rounds: number, size: LocksSize, url: string, database: Database) {
  const program = findPgbench(world);
  const ours: number[] = [];
  const limit: number[] = [];
  const ratios: number[] = [];
  await pairsPerSecond(database, Math.ceil(size.pairs / 10));
  for (let round = 0; round < rounds; round += 1) {
    const own = await pairsPerSecond(database, size.pairs);
    ours.push(own);
    if (program === null) continue;
    const most = await pgbench(world, program, { url, script: PAIR, transactions: size.pairs });
    limit.push(most);
    ratios.push(own / most);
  }
  const beside = program === null ? ['–', '–'] : [spread(limit, 0), median(ratios).toFixed(2)];
  const figures = table(
    ['', 'the bot', 'pgbench', 'ratio'],
    [['acquire and release, pairs/s', spread(ours, 0), ...beside]],
  );
  return program === null ? `${figures}\n\n${NO_PGBENCH}` : figures;
}

async function pairsPerSecond(database: Database, count: number): Promise<number> {
  const started = performance.now();
  for (let n = 0; n < count; n += 1) {
    const taken = await acquireLock(database, 'm10:bench_pairs', 'bench', 300);
    const given = await releaseLock(database, 'm10:bench_pairs', 'bench');
    if (!taken || !given) throw new Error('the lock of the benchmark was not ours');
  }
  return count / ((performance.now() - started) / 1000);
}

async function takeovers(world: World, rounds: number, size: LocksSize, url: string, database: Database) {
  const rows: string[][] = [];
  for (const ttl of size.ttls) {
    const seconds: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      // Killed at another moment between two heartbeats each time, as happens.
      const share = (round + 0.5) / rounds;
      seconds.push(await takeover(world, url, ttl, share, database));
    }
    rows.push([`${ttl} s`, spread(seconds, 2), (median(seconds) / ttl).toFixed(2)]);
  }
  return table(['TTL', 'from kill -9 to the next leader, s', 'of the TTL'], rows);
}

async function takeover(world: World, url: string, ttl: number, share: number, database: Database) {
  const script = join(world.dist, 'bench', 'jobs', 'hold-lock.js');
  const holder = spawn(process.execPath, [script, url, String(ttl)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'exit');
  if (holder.pid !== undefined) world.services.watch(holder.pid);
  await Promise.race([
    once(holder.stdout, 'data'),
    ended.then(() => Promise.reject(new Error('the holder of the lock ended'))),
  ]);
  // Past the first heartbeat, so that it is the heartbeat's lock that outlives its holder.
  await sleep(((1 + share) * ttl * 1000) / 3);
  holder.kill('SIGKILL');
  const killed = performance.now();
  await ended;
  while (!(await acquireLock(database, TAKEOVER_LOCK, 'bench', ttl))) await sleep(ASK_EVERY_MS);
  const seconds = (performance.now() - killed) / 1000;
  await releaseLock(database, TAKEOVER_LOCK, 'bench');
  return seconds;
}
