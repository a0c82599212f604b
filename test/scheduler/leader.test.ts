import { describe, expect, test } from 'vitest';
import { extendLock, listLocks } from '../../src/clients/m10/locks.js';
import { connect, type Database } from '../../src/clients/postgres.js';
import { createLeader } from '../../src/scheduler/leader.js';
import { until } from '../store/poll.js';
import { usePlace } from './place.js';
import { createProxy } from './proxy.js';

const place = usePlace();
const lock = 'm10:reclaim_gc';
const warnings: string[] = [];
const log = {
  info: () => undefined,
  warn: (_: object, message: string) => {
    warnings.push(message);
  },
  error: () => undefined,
};

const open = (url: string) => (applicationName: string) =>
  connect({ url, applicationName, statementTimeoutMs: 5_000, lockTimeoutMs: 0, connectTimeoutMs: 1_000 });

async function session(): Promise<Database> {
  const connection = await open(place.target.databaseUrl)('test');
  if (connection.kind !== 'connected') throw new Error(connection.message);
  return connection.database;
}

function leaderOver(
  url: string,
  holder = 'm10bot:a',
  clocks: { monotonic?: () => number; now?: () => number } = {},
) {
  return createLeader({ holder, connect: open(url), log, ...clocks });
}

async function lead(url = place.target.databaseUrl, ttlSeconds = 3) {
  const database = await session();
  const leadership = await leaderOver(url).take(database, lock, ttlSeconds);
  if (leadership.kind !== 'leads') throw new Error('not elected');
  return { database, leadership, end: () => leadership.release(database).then(() => database.close()) };
}

const lost = (signal: AbortSignal) => until('the lock is lost', () => signal.aborted);

describe('taking a lock', () => {
  test('one leads, and the other is told who does and until when', async () => {
    const database = await session();
    const leadership = await leaderOver(place.target.databaseUrl, 'm10bot:a').take(database, lock, 60);
    expect(leadership).toMatchObject({ kind: 'leads', lock: { name: lock, holder: 'm10bot:a' } });
    const other = await leaderOver(place.target.databaseUrl, 'm10bot:b').take(database, lock, 60);
    expect(other).toMatchObject({ kind: 'follows', leader: { holder: 'm10bot:a', stale: false } });
    if (leadership.kind === 'leads') {
      expect(leadership.lock.held()).toBe(true);
      await leadership.release(database);
      expect(leadership.lock.held()).toBe(false);
    }
    expect(await listLocks(database)).toEqual([]);
    await database.close();
  });

  test('another worker that takes the same lock by the same functions keeps us out', async () => {
    await place.sql(`select m10_recovery.acquire_lock('${lock}', 'reconcile_dl:worker-1:77', 60)`);
    const database = await session();
    const answer = await leaderOver(place.target.databaseUrl).take(database, lock, 60);
    expect(answer).toMatchObject({ kind: 'follows', leader: { holder: 'reconcile_dl:worker-1:77' } });
    await database.close();
  });
});

describe('the heartbeat', () => {
  test('keeps the lock past its time while a long statement blocks the session of the job', async () => {
    const { database, leadership, end } = await lead(undefined, 2);
    const [before] = await place.sql(`select expires_at from m10_recovery.distributed_locks`);
    await database.query('select pg_sleep(2.6)');
    expect(leadership.lost.aborted).toBe(false);
    expect(leadership.lock.held()).toBe(true);
    const [then] = await place.sql(
      `select expires_at, expires_at > now() as held from m10_recovery.distributed_locks`,
    );
    expect(then).toMatchObject({ held: true });
    expect(then?.expires_at).not.toEqual(before?.expires_at);
    await end();
  });

  test('finds a lock that was taken away, and does not give back what is somebody else’s', async () => {
    const { leadership, end } = await lead();
    await place.sql(
      `update m10_recovery.distributed_locks set holder_id = 'thief', expires_at = now() + interval '1 h'`,
    );
    await lost(leadership.lost);
    expect(leadership.lock.held()).toBe(false);
    expect(String(leadership.lost.reason)).toContain('not ours any more');
    await end();
    expect(await place.sql('select holder_id from m10_recovery.distributed_locks')).toEqual([
      { holder_id: 'thief' },
    ]);
  });

  test('goes on trying while the database is away, and the lock stays when it is back in time', async () => {
    const proxy = await createProxy(place.target.databaseUrl);
    proxy.cut();
    const { leadership, end } = await lead(proxy.url, 6);
    warnings.length = 0;
    await until('it was tried in vain', () =>
      warnings.some((line) => line.includes('could not be extended')),
    );
    expect(leadership.lock.held()).toBe(true);
    proxy.restore();
    const [before] = await place.sql('select expires_at from m10_recovery.distributed_locks');
    await until('it is extended', async () => {
      const [now] = await place.sql('select expires_at from m10_recovery.distributed_locks');
      return String(now?.expires_at) !== String(before?.expires_at);
    });
    expect(leadership.lost.aborted).toBe(false);
    await end();
    await proxy.close();
  });

  test.each(['cut', 'freeze'] as const)(
    'gives up before the lock expires when the network stays %s',
    async (how) => {
      const proxy = await createProxy(place.target.databaseUrl);
      const { leadership, end } = await lead(proxy.url, 2);
      proxy[how]();
      await lost(leadership.lost);
      expect(leadership.lock.held()).toBe(false);
      expect(String(leadership.lost.reason)).toContain('could not be extended');
      await proxy.close();
      await end();
      // It was still ours in the table, so it was given back for the next one.
      expect(await place.sql('select 1 from m10_recovery.distributed_locks')).toEqual([]);
    },
  );
});

describe('clocks', () => {
  test('a process that was frozen, or whose machine slept, knows at once that it does not hold the lock', async () => {
    for (const kind of ['monotonic', 'now'] as const) {
      let ahead = 0;
      const clocks = {
        monotonic: () => performance.now() + (kind === 'monotonic' ? ahead : 0),
        now: () => Date.now() + (kind === 'now' ? ahead : 0),
      };
      const database = await session();
      const leadership = await leaderOver(place.target.databaseUrl, `m10bot:${kind}`, clocks).take(
        database,
        lock,
        60,
      );
      if (leadership.kind !== 'leads') throw new Error('not elected');
      ahead = 54_000;
      expect(leadership.lock.held()).toBe(true);
      ahead = 55_500;
      expect(leadership.lock.held()).toBe(false);
      await leadership.release(database);
      await database.close();
    }
  });

  test('an expired lock is not revived', async () => {
    const database = await session();
    await place.sql(`insert into m10_recovery.distributed_locks (lock_name, holder_id, expires_at)
      values ('${lock}', 'm10bot:a', now() - interval '1 s')`);
    expect(await extendLock(database, lock, 'm10bot:a', 60)).toBe(false);
    await database.close();
  });
});
