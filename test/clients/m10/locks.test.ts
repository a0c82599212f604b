import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  acquireLock,
  cleanupExpiredLocks,
  extendLock,
  listLocks,
  releaseForeign,
  releaseLock,
} from '../../../src/clients/m10/locks.js';
import { connect, type Database } from '../../../src/clients/postgres.js';
import { after, createWorld, type World } from '../../checks/world.js';

let world: World;
let database: Database;
beforeAll(async () => {
  world = await createWorld();
  const { url } = await world.databaseAt(after);
  const connection = await connect({
    url,
    applicationName: 'test',
    statementTimeoutMs: 5_000,
    lockTimeoutMs: 0,
    connectTimeoutMs: 5_000,
  });
  if (connection.kind !== 'connected') throw new Error(connection.message);
  database = connection.database;
});
afterAll(async () => {
  await database?.close();
  await world?.drop();
});
beforeEach(() => database.query('truncate m10_recovery.distributed_locks'));

const expire = () =>
  database.query(`update m10_recovery.distributed_locks set expires_at = clock_timestamp() - interval '1 s'`);

test('a lock is one holder’s until it is given back or expires', async () => {
  expect(await acquireLock(database, 'm10:x', 'a', 60)).toBe(true);
  expect(await acquireLock(database, 'm10:x', 'a', 60)).toBe(true);
  expect(await acquireLock(database, 'm10:x', 'b', 60)).toBe(false);
  expect(await extendLock(database, 'm10:x', 'b', 60)).toBe(false);
  expect(await extendLock(database, 'm10:x', 'a', 60)).toBe(true);
  expect(await releaseLock(database, 'm10:x', 'b')).toBe(false);
  await expire();
  expect(await extendLock(database, 'm10:x', 'a', 60)).toBe(false);
  expect(await acquireLock(database, 'm10:x', 'b', 60)).toBe(true);
  expect(await releaseLock(database, 'm10:x', 'b')).toBe(true);
});

test('the list tells holder, age, time left and what has expired', async () => {
  await acquireLock(database, 'm10:old', 'a', 60);
  await expire();
  await acquireLock(database, 'm10:new', 'b', 60);
  const locks = await listLocks(database);
  expect(locks).toMatchObject([
    { name: 'm10:new', holder: 'b', stale: false },
    { name: 'm10:old', holder: 'a', stale: true },
  ]);
  const [held] = locks;
  expect(held?.leftMs).toBeGreaterThan(30_000);
  expect(held?.ageMs).toBeGreaterThanOrEqual(0);
  expect((held?.expiresAt ?? 0) - (held?.acquiredAt ?? 0)).toBeCloseTo(60_000, -2);
  expect(await listLocks(database, 'm10:old')).toHaveLength(1);
  expect(await cleanupExpiredLocks(database)).toBe(1);
  expect(await listLocks(database)).toHaveLength(1);
});

test('a lock is taken away from the holder that was seen, and from no other', async () => {
  await acquireLock(database, 'm10:x', 'a', 60);
  const [seen] = await listLocks(database);
  expect(await releaseForeign(database, 'm10:x', 'b')).toMatchObject({
    kind: 'changed',
    now: { holder: 'a' },
  });
  // Given back and taken anew by the same holder: another hold than the one that was seen.
  await releaseLock(database, 'm10:x', 'a');
  await database.query('select pg_sleep(0.01)');
  await acquireLock(database, 'm10:x', 'a', 60);
  expect(await releaseForeign(database, 'm10:x', 'a', seen?.acquiredAt)).toMatchObject({ kind: 'changed' });
  const [now] = await listLocks(database);
  expect(await releaseForeign(database, 'm10:x', 'a', now?.acquiredAt)).toEqual({ kind: 'released' });
  expect(await releaseForeign(database, 'm10:x', 'a')).toEqual({ kind: 'changed', now: null });
});
