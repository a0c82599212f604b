import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { revisions } from '../../../workspace/backend/variants.js';
import { type FreshDatabase, type FreshRedis, freshDatabase, freshRedis } from '../../support/database.js';
import { type Backend, connect, type Database, temporaryBackend } from './support.js';

const smoke = 'tests/test_m10_leader_election.py';
const chaos = 'tests/test_m10_recovery_chaos.py';

let backend: Backend;
let fresh: FreshDatabase;
let redis: FreshRedis;
let db: Database;
let env: { DATABASE_URL: string; REDIS_URL: string };

beforeAll(async () => {
  [backend, fresh, redis] = await Promise.all([temporaryBackend(), freshDatabase('pytest'), freshRedis()]);
  env = { DATABASE_URL: fresh.url, REDIS_URL: redis.url };
  await backend.alembic(['upgrade', revisions.hardening], env);
  db = await connect(fresh.url);
});
afterAll(async () => {
  await db?.end();
  await Promise.all([fresh?.drop(), redis?.drop(), backend?.remove()]);
});

const leftOver = () =>
  db.rows(`select (select count(*)::int from m10_recovery.distributed_locks),
    (select count(*)::int from m10_recovery.replay_log),
    (select count(*)::int from m10_recovery.dead_letter_archive),
    (select count(*)::int from m10_recovery.outbox)`);

async function keys(): Promise<string[]> {
  const client = new Redis(redis.url);
  try {
    return await client.keys('*');
  } finally {
    client.disconnect();
  }
}

test('the smoke tests pass and leave nothing behind', async () => {
  const run = await backend.python(['pytest', smoke, '-v'], env);
  expect(run.stdout).toContain('11 passed, 1 skipped');
  expect(run.exitCode).toBe(0);
  expect(await leftOver()).toEqual([[0, 0, 0, 0]]);
});

test('the chaos tests pass, -k "not high_volume" deselects nothing, and the report counts', async () => {
  const report = join(backend.directory, 'report.xml');
  const run = await backend.python(
    ['pytest', chaos, '-v', '-k', 'not high_volume', `--junitxml=${report}`],
    env,
  );
  expect(run.exitCode).toBe(0);
  expect(run.stdout).toContain('TestHighVolume::test_four_workers_drain_two_thousand_events PASSED');
  expect(run.stdout).not.toContain('deselected');
  expect(await readFile(report, 'utf8')).toContain('errors="0" failures="0" skipped="1" tests="8"');
  expect(await leftOver()).toEqual([[0, 0, 0, 0]]);
  expect(await keys()).toEqual([]);
});

test('-k "not HighVolume" is what leaves the long test out', async () => {
  const run = await backend.python(['pytest', chaos, '--collect-only', '-q', '-k', 'not HighVolume'], env);
  expect(run.stdout).toContain('7/8 tests collected (1 deselected)');
});

test('events that others left pending neither disturb the tests nor are touched by them', async () => {
  await db.rows(
    `select m10_recovery.publish_outbox('theirs', n::text, 'http:order', '{}') from generate_series(1, 600) n`,
  );
  await db.rows(`update m10_recovery.outbox set created_at = now() - interval '1 hour'`);
  const run = await backend.python(['pytest', chaos, '-q'], env);
  expect(run.exitCode).toBe(0);
  const untouched = `select count(*)::int from m10_recovery.outbox
    where aggregate_type = 'theirs' and processed_at is null and processed_by is null and retry_count = 0`;
  expect(await db.rows(untouched)).toEqual([[600]]);
  await db.rows('delete from m10_recovery.outbox');
});

test('a backend whose publish_outbox fails does not pass, and its tests leave nothing behind either', async () => {
  const broken = await temporaryBackend('publish-outbox-fails');
  try {
    await broken.alembic(['downgrade', revisions.before], env);
    await broken.alembic(['upgrade', revisions.hardening], env);
    const run = await broken.python(['pytest', chaos, '-q'], env);
    expect(run.exitCode).toBe(1);
    expect(run.stdout).toContain('4 failed, 3 passed, 1 skipped');
    expect(await leftOver()).toEqual([[0, 0, 0, 0]]);
  } finally {
    await broken.remove();
  }
});

test('at revision 021 the tests fail instead of being skipped', async () => {
  await backend.alembic(['downgrade', revisions.before], env);
  const run = await backend.python(['pytest', smoke, '-q'], env);
  expect(run.exitCode).toBe(1);
  expect(run.stdout).toContain('11 failed, 1 skipped');
});
