import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { revisions } from '../../../workspace/backend/variants.js';
import { startRedis } from '../../../workspace/services/redis.js';
import { type FreshDatabase, type FreshRedis, freshDatabase, freshRedis } from '../../support/database.js';
import { type Backend, type ChildEnvironment, connect, type Database, temporaryBackend } from './support.js';

const mainStream = 'm10:evaluate:stream';
const deadLetters = 'm10:evaluate:dead-letter';
const group = 'm10:evaluate:group';
const noDatabase = 'postgresql://nobody@127.0.0.1:1/nothing';
const noRedis = 'redis://:hush@127.0.0.1:1/0';
const skipped = { status: 'skipped', reason: 'failed_to_acquire_lock' };
const zeros = { scanned: 0, still_pending: 0, acknowledged: 0, archived: 0, trimmed: 0 };

let backend: Backend;
let fresh: FreshDatabase;
let own: FreshRedis;
let db: Database;
let redis: Redis;
let env: { DATABASE_URL: string; REDIS_URL: string };

beforeAll(async () => {
  [backend, fresh, own] = await Promise.all([temporaryBackend(), freshDatabase('ops'), freshRedis()]);
  env = { DATABASE_URL: fresh.url, REDIS_URL: own.url };
  await backend.alembic(['upgrade', revisions.hardening], env);
  db = await connect(fresh.url);
  redis = new Redis(own.url);
});
afterAll(async () => {
  redis?.disconnect();
  await db?.end();
  await Promise.all([fresh?.drop(), own?.drop(), backend?.remove()]);
});
beforeEach(async () => {
  await redis.flushdb();
  await db.rows(`truncate m10_recovery.distributed_locks, m10_recovery.dead_letter_archive,
    m10_recovery.matview_refresh_log`);
});

/** Runs one of the ops scripts and reads the JSON that it prints. */
async function ops(args: string, with_: ChildEnvironment = env) {
  const [script, ...flags] = args.split(' ');
  const run = await backend.python([`scripts.ops.${script}`, ...flags], with_);
  const json: unknown = JSON.parse(run.stdout);
  return { exitCode: run.exitCode, stderr: run.stderr, json };
}

describe('check_redis_config', () => {
  test('OK for the Redis of the trial, with all its keys', async () => {
    const { exitCode, json } = await ops('check_redis_config --json');
    expect(exitCode).toBe(0);
    expect(json).toEqual({
      timestamp: expect.any(String),
      redis_url: expect.not.stringContaining(new URL(own.url).password),
      config: expect.objectContaining({ appendonly: 'yes', 'maxmemory-policy': 'noeviction' }),
      errors: [],
      warnings: [],
      status: 'OK',
    });
  });

  test('FAIL and exit 1 for one that forgets, WARN and exit 0 for one that syncs when it likes', async () => {
    const other = await startRedis({ directory: `${backend.directory}/other-redis` });
    const client = new Redis(other.url);
    try {
      await client.config('SET', 'appendfsync', 'no');
      const with_ = { REDIS_URL: other.url };
      const warned = await ops('check_redis_config --json', with_);
      expect(warned).toMatchObject({ exitCode: 0, json: { status: 'WARN', errors: [] } });
      await client.config('SET', 'appendonly', 'no');
      await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
      const failed = await ops('check_redis_config --json', with_);
      expect(failed).toMatchObject({ exitCode: 1, json: { status: 'FAIL' } });
      expect(failed.json).toHaveProperty('errors', [
        expect.stringContaining('appendonly is no'),
        expect.stringContaining('maxmemory-policy is allkeys-lru'),
      ]);
    } finally {
      client.disconnect();
      await other.stop();
    }
  });

  test('FAIL and exit 1 without Redis, and no password in the output', async () => {
    const failed = await ops('check_redis_config --json', { REDIS_URL: noRedis });
    expect(failed).toMatchObject({
      exitCode: 1,
      json: { status: 'FAIL', redis_url: 'redis://:***@127.0.0.1:1/0' },
    });
    expect(JSON.stringify(failed)).not.toContain('hush');
  });
});

describe('reconcile_dl', () => {
  /** Three messages taken by a consumer, two of them dead-lettered, one of those acknowledged already. */
  async function deadLetter(): Promise<string[]> {
    await redis.xgroup('CREATE', mainStream, group, '0', 'MKSTREAM');
    const ids: string[] = [];
    for (const n of ['1', '2', '3']) ids.push((await redis.xadd(mainStream, '*', 'candidate_id', n)) ?? '');
    await redis.xreadgroup('GROUP', group, 'worker', 'COUNT', 3, 'STREAMS', mainStream, '>');
    await redis.xack(mainStream, group, ids[1] ?? '');
    for (const id of ids.slice(0, 2)) {
      await redis.xadd(
        deadLetters,
        '*',
        'original_msg_id',
        id,
        'candidate_id',
        '7',
        'reason',
        'too many tries',
        'reclaim_count',
        '4',
      );
    }
    return ids;
  }
  const pending = async () => (await redis.xpending(mainStream, group, '-', '+', 10)).length;

  test('a dry run counts and changes nothing', async () => {
    await deadLetter();
    const { exitCode, json } = await ops('reconcile_dl --dry-run --json');
    expect(exitCode).toBe(0);
    expect(json).toEqual({ dry_run: true, ...zeros, scanned: 2, still_pending: 1 });
    expect(await pending()).toBe(2);
    expect(await db.rows('select from m10_recovery.dead_letter_archive')).toEqual([]);
  });

  test('acknowledges what is still pending, archives all, and gives its lock back', async () => {
    const [first, , third] = await deadLetter();
    const { json } = await ops('reconcile_dl --json');
    expect(json).toEqual({
      dry_run: false,
      ...zeros,
      scanned: 2,
      still_pending: 1,
      acknowledged: 1,
      archived: 2,
    });
    expect(await redis.xpending(mainStream, group)).toEqual([1, third, third, [['worker', '1']]]);
    expect(
      await db.rows(`select original_msg_id, candidate_id, reason, reclaim_count, payload->>'reason'
        from m10_recovery.dead_letter_archive order by id limit 1`),
    ).toEqual([[first, 7, 'too many tries', 4, 'too many tries']]);
    expect(await db.rows('select from m10_recovery.distributed_locks')).toEqual([]);
    expect((await ops('reconcile_dl --json')).json).toMatchObject({
      scanned: 2,
      acknowledged: 0,
      archived: 0,
    });
  });

  test('an entry that makes no sense is archived like the rest', async () => {
    await deadLetter();
    await redis.xadd(
      deadLetters,
      '*',
      'original_msg_id',
      'no id',
      'candidate_id',
      'x',
      'failure_match_id',
      'y',
    );
    expect((await ops('reconcile_dl --json')).json).toMatchObject({
      scanned: 3,
      acknowledged: 1,
      archived: 3,
    });
  });

  test('trims the stream to its cap, after archiving', async () => {
    const pipeline = redis.pipeline();
    for (let n = 0; n < 10_020; n++) pipeline.xadd(deadLetters, '*', 'n', String(n));
    await pipeline.exec();
    expect((await ops('reconcile_dl --json')).json).toMatchObject({
      scanned: 10_020,
      archived: 10_020,
      trimmed: 20,
    });
    expect(await redis.xlen(deadLetters)).toBe(10_000);
  });

  test('exits 0 as skipped while the lock is held', async () => {
    await db.rows(`select m10_recovery.acquire_lock('m10:reconcile_dl', 'someone else')`);
    const { exitCode, json } = await ops('reconcile_dl --dry-run --json');
    expect({ exitCode, json }).toMatchObject({ exitCode: 0, json: skipped });
  });

  test('exits 0 as skipped without a database, and at revision 021', async () => {
    const without = await ops('reconcile_dl --dry-run --json', { ...env, DATABASE_URL: noDatabase });
    expect(without).toMatchObject({ exitCode: 0, json: skipped });
    await backend.alembic(['downgrade', revisions.before], env);
    try {
      expect(await ops('reconcile_dl --dry-run --json')).toMatchObject({ exitCode: 0, json: skipped });
    } finally {
      await backend.alembic(['upgrade', revisions.hardening], env);
    }
  });

  test('exits 0 with zeros and an error on stderr without Redis', async () => {
    const run = await ops('reconcile_dl --dry-run --json', { ...env, REDIS_URL: noRedis });
    expect(run).toMatchObject({ exitCode: 0, json: { dry_run: true, ...zeros } });
    expect(run.json).not.toHaveProperty('status');
    expect(run.stderr).toMatch(/^ERROR /m);
  });
});

describe('refresh_matview', () => {
  test('--status prints {} before the first refresh and without a database, then the freshness', async () => {
    expect(await ops('refresh_matview --status --json')).toMatchObject({ exitCode: 0, json: {} });
    const without = await ops('refresh_matview --status --json', { ...env, DATABASE_URL: noDatabase });
    expect(without.json).toEqual({});
    await db.rows(`select m10_recovery.refresh_mv_tracked('mv_top_pending')`);
    expect((await ops('refresh_matview --status --json')).json).toEqual({
      mv_top_pending: {
        last_refresh: expect.any(String),
        age_seconds: expect.any(Number),
        last_success: true,
        last_duration_ms: expect.any(Number),
      },
    });
  });

  test('refreshes under its lock, so that new candidates show', async () => {
    await db.rows(`insert into public.recovery_candidates (failure_match_id, suggestion, confidence, occurrence_count)
      values (gen_random_uuid(), 'newest', 1, 100000)`);
    const { exitCode, json } = await ops('refresh_matview --json');
    expect(exitCode).toBe(0);
    expect(json).toMatchObject({
      results: { mv_top_pending: { success: true, duration_ms: expect.any(Number), error: null } },
      all_success: true,
      freshness: { mv_top_pending: { last_success: true } },
    });
    const top = `select suggestion from m10_recovery.mv_top_pending order by occurrence_count desc limit 1`;
    expect(await db.rows(top)).toEqual([['newest']]);
    expect(await db.rows('select from m10_recovery.distributed_locks')).toEqual([]);
  });

  test('is skipped while the lock is held', async () => {
    await db.rows(`select m10_recovery.acquire_lock('m10:matview:mv_top_pending', 'someone else')`);
    const { exitCode, json } = await ops('refresh_matview --json');
    expect({ exitCode, json }).toMatchObject({
      exitCode: 0,
      json: { all_success: true, results: { mv_top_pending: { success: true, skipped: true } } },
    });
  });

  test('exits 1 when the refresh fails', async () => {
    await db.rows('drop index m10_recovery.uq_mv_top_pending');
    try {
      const { exitCode, json } = await ops('refresh_matview --json');
      expect({ exitCode, json }).toMatchObject({
        exitCode: 1,
        json: { all_success: false, results: { mv_top_pending: { success: false } } },
      });
    } finally {
      await db.rows('create unique index uq_mv_top_pending on m10_recovery.mv_top_pending (candidate_id)');
    }
  });
});
