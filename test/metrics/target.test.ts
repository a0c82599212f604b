import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createEventLabels } from '../../src/metrics/labels.js';
import { createTargetMetrics } from '../../src/metrics/target.js';
import { type RedisServer, startRedis } from '../../workspace/services/redis.js';
import { after, before, createWorld, sql, type World, withClient } from '../checks/world.js';
import type { FreshDatabase } from '../support/database.js';
import { sampleOf, scraped } from './samples.js';

let world: World;
let database: FreshDatabase;
let redis: RedisServer;
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'm10-metrics-'));
  world = await createWorld();
  [database, redis] = await Promise.all([
    world.databaseAt(after),
    startRedis({ directory: join(folder, 'redis') }),
  ]);
});
afterAll(async () => {
  await redis?.stop();
  await world?.drop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});
beforeEach(async () => {
  await sql(
    database.url,
    `truncate m10_recovery.outbox, m10_recovery.distributed_locks, m10_recovery.dead_letter_archive,
       m10_recovery.matview_refresh_log`,
  );
});

/** The metrics of a target as one replica has them, read anew at each scrape. */
function replica(given: { databaseUrl?: string; redisUrl?: string | null } = {}) {
  const registry = new Registry();
  const logged: string[] = [];
  const refreshers = createTargetMetrics({
    registry,
    target: { name: 'production', databaseUrl: database.url, redisUrl: redis.url, ...given },
    labels: createEventLabels((text) => text),
    redact: (text) => text,
    log: { warn: (_, message) => logged.push(message) },
    keepMs: 0,
  });
  return { logged, scrape: () => scraped(registry, refreshers) };
}

const publish = (id: string, type = 'http:orders', aggregate = 'order') =>
  sql(database.url, `select m10_recovery.publish_outbox('${aggregate}', '${id}', '${type}', '{}')`);
const published = (type = 'http:orders', aggregate = 'order') =>
  `m10_outbox_published_total{aggregate_type="${aggregate}",event_type="${type}"}`;
const up = (source: string) => `m10bot_target_up{target="production",source="${source}"}`;

test('the outbox as it is: pending, the age of the oldest, retries, what is due', async () => {
  const { scrape } = replica();
  const empty = await scrape();
  expect(sampleOf(empty, 'm10_outbox_pending')).toBe(0);
  expect(sampleOf(empty, 'm10_outbox_lag_seconds')).toBe(0);

  await sql(
    database.url,
    `insert into m10_recovery.outbox
       (aggregate_type, aggregate_id, event_type, payload, created_at, retry_count, next_retry_at, processed_at)
     values ('order', '1', 'x', '{}', now() - interval '500 s', 3, now() + interval '1 hour', null),
            ('order', '2', 'x', '{}', now() - interval '400 s', 1, now() - interval '100 s', null),
            ('order', '3', 'x', '{}', now() - interval '900 s', 4, null, now())`,
  );
  const text = await scrape();
  expect(sampleOf(text, 'm10_outbox_pending')).toBe(2);
  expect(sampleOf(text, 'm10_outbox_retry_count')).toBe(4);
  expect(sampleOf(text, 'm10_outbox_lag_seconds')).toBeGreaterThanOrEqual(500);
  expect(sampleOf(text, 'm10_outbox_lag_seconds')).toBeLessThan(600);
  expect(sampleOf(text, 'm10bot_outbox_due')).toBe(1);
  expect(sampleOf(text, 'm10bot_outbox_due_lag_seconds')).toBeGreaterThanOrEqual(100);
  expect(sampleOf(text, 'm10bot_outbox_due_lag_seconds')).toBeLessThan(200);
});

test('locks that are held by anybody, the archive, the age of a view', async () => {
  const { scrape } = replica();
  await sql(database.url, `select m10_recovery.acquire_lock('m10:reconcile_dl', 'somebody', 600)`);
  await sql(database.url, `select m10_recovery.acquire_lock('m10:reclaim_gc', 'somebody', -1)`);
  await sql(
    database.url,
    `select m10_recovery.archive_dead_letter('1-1', '1-0', 1, null, '{}', 'poison', 0, now(), 'test')`,
  );
  expect(await scrape()).not.toContain('recovery_matview_age_seconds{');
  await sql(database.url, `select * from m10_recovery.refresh_mv_tracked('mv_top_pending')`);
  const text = await scrape();
  expect(sampleOf(text, 'm10_lock_active{lock_name="m10:reconcile_dl"}')).toBe(1);
  expect(text).not.toContain('lock_name="m10:reclaim_gc"');
  expect(sampleOf(text, 'm10_archive_size')).toBe(1);
  expect(sampleOf(text, 'recovery_matview_age_seconds{view_name="mv_top_pending"}')).toBeLessThan(60);
  await sql(database.url, `select m10_recovery.release_lock('m10:reconcile_dl', 'somebody')`);
  expect(await scrape()).not.toContain('m10_lock_active{');
});

test('the streams: length, consumers, what nobody acknowledged, dead letters; gone with Redis', async () => {
  const own = await startRedis({ directory: join(folder, 'own') });
  const { scrape, logged } = replica({ redisUrl: own.url });
  const empty = await scrape();
  expect(['length', 'consumers'].map((name) => sampleOf(empty, `recovery_stream_${name}`))).toEqual([0, 0]);
  const client = new Redis(own.url);
  client.on('error', () => undefined);
  try {
    for (let i = 0; i < 5; i += 1) await client.xadd('m10:evaluate:stream', '*', 'candidate_id', String(i));
    await client.xadd('m10:evaluate:dead-letter', '*', 'original_msg_id', '1-0');
    await client.xgroup('CREATE', 'm10:evaluate:stream', 'm10:evaluate:group', '0');
    const read = ['GROUP', 'm10:evaluate:group', 'one', 'COUNT', '2', 'STREAMS', 'm10:evaluate:stream', '>'];
    await client.call('XREADGROUP', ...read);
    const [first] = await client.xrange('m10:evaluate:stream', '-', '+', 'COUNT', 1);
    await client.xack('m10:evaluate:stream', 'm10:evaluate:group', first?.[0] ?? '');
    const text = await scrape();
    expect(sampleOf(text, 'recovery_stream_length')).toBe(5);
    expect(sampleOf(text, 'recovery_stream_consumers')).toBe(1);
    expect(sampleOf(text, 'recovery_dead_letter_length')).toBe(1);
    // One delivered and not acknowledged, three not delivered.
    expect(sampleOf(text, 'm10bot_stream_backlog')).toBe(4);
    expect(sampleOf(text, up('redis'))).toBe(1);
  } finally {
    client.disconnect();
    await own.stop();
  }
  for (let i = 0; i < 2; i += 1) {
    const text = await scrape();
    expect(text).not.toMatch(/^(recovery_stream|recovery_dead|m10bot_stream)/m);
    expect(sampleOf(text, up('redis'))).toBe(0);
    expect(sampleOf(text, up('database'))).toBe(1);
    expect(sampleOf(text, 'm10_outbox_pending')).toBe(0);
  }
  expect(sampleOf(await scrape(), 'm10bot_target_errors_total{target="production",source="redis"}')).toBe(3);
  // An outage is one line of the log.
  expect(logged).toHaveLength(1);
});

test('a database that cannot be reached: its figures are absent, not zero, and counted', async () => {
  const gone = new URL(database.url);
  gone.port = '1';
  const { scrape } = replica({ databaseUrl: gone.href });
  const text = await scrape();
  expect(text).not.toMatch(/^(m10_|recovery_matview|m10bot_outbox|m10bot_target_hardened)/m);
  expect(sampleOf(text, up('database'))).toBe(0);
  expect(sampleOf(text, up('redis'))).toBe(1);
  expect(sampleOf(text, 'm10bot_target_errors_total{target="production",source="database"}')).toBe(1);
});

test('before revision 022 its figures are absent, and then counted from the first event on', async () => {
  const old = await world.databaseAt(before);
  const { scrape } = replica({ databaseUrl: old.url, redisUrl: null });
  await sql(old.url, `select * from m10_recovery.refresh_mv_tracked('mv_top_pending')`);
  const text = await scrape();
  expect(text).not.toMatch(/^m10_/m);
  expect(sampleOf(text, 'm10bot_target_hardened{target="production"}')).toBe(0);
  expect(sampleOf(text, 'recovery_matview_age_seconds{view_name="mv_top_pending"}')).toBeDefined();
  expect(sampleOf(text, up('database'))).toBe(1);
  expect(text).not.toContain('source="redis"');
  expect(sampleOf(text, 'm10bot_target_errors_total{target="production",source="database"}')).toBe(0);

  await world.alembic(old.url, await world.backend(), 'upgrade', after);
  await sql(old.url, `select m10_recovery.publish_outbox('order', '1', 'http:orders', '{}')`);
  const upgraded = await scrape();
  expect(sampleOf(upgraded, 'm10bot_target_hardened{target="production"}')).toBe(1);
  expect(sampleOf(upgraded, 'm10_outbox_pending')).toBe(1);
  expect(sampleOf(upgraded, published())).toBe(1);
});

test('a table that is locked for a change is left alone at once, and the others are read', async () => {
  const { scrape } = replica({ redisUrl: null });
  await withClient(database.url, async (client) => {
    await client.query('begin; lock table m10_recovery.outbox in access exclusive mode');
    const text = await scrape();
    expect(text).not.toMatch(/^m10_outbox_pending/m);
    expect(sampleOf(text, 'm10_archive_size')).toBe(0);
    expect(sampleOf(text, up('database'))).toBe(1);
    expect(
      sampleOf(text, 'm10bot_target_errors_total{target="production",source="database"}'),
    ).toBeGreaterThan(0);
    await client.query('rollback');
  });
  expect(sampleOf(await scrape(), 'm10_outbox_pending')).toBe(0);
});

test('published events count up, whatever becomes of them, the same on every replica', async () => {
  await publish('0');
  const replicas = [replica({ redisUrl: null }), replica({ redisUrl: null })];
  // What was there before is where counting begins, and its kind is known.
  for (const { scrape } of replicas) expect(sampleOf(await scrape(), published())).toBe(0);
  await publish('1');
  await publish('1');
  await publish('2');
  await publish('1', 'notify:ops');
  for (const { scrape } of replicas) {
    const text = await scrape();
    // The second event of order 1 replaced the first one, which was waiting.
    expect(sampleOf(text, published())).toBe(2);
    expect(sampleOf(text, published('notify:ops'))).toBe(1);
  }
  const [one] = replicas;
  // Retention deletes everything, and a later event counts all the same.
  await sql(database.url, 'delete from m10_recovery.outbox');
  expect(sampleOf((await one?.scrape()) ?? '', published())).toBe(2);
  await publish('3');
  expect(sampleOf((await one?.scrape()) ?? '', published())).toBe(3);
  expect(sampleOf((await one?.scrape()) ?? '', published())).toBe(3);
  // A replica that starts now begins at zero, as a counter may.
  expect(sampleOf(await replica({ redisUrl: null }).scrape(), published())).toBe(0);
});

test('an event of a transaction that ends after younger ones is counted once, and one rolled back never', async () => {
  const { scrape } = replica({ redisUrl: null });
  await scrape();
  const slow = new pg.Client({ connectionString: database.url });
  const undone = new pg.Client({ connectionString: database.url });
  await slow.connect();
  await undone.connect();
  try {
    const insert = `select m10_recovery.publish_outbox('order', gen_random_uuid()::text, 'http:orders', '{}')`;
    await slow.query('begin');
    await slow.query(insert);
    await slow.query(insert);
    await undone.query('begin');
    await undone.query(insert);
    await slow.query(insert);
    await publish('young');
    expect(sampleOf(await scrape(), published())).toBe(1);
    await undone.query('rollback');
    await slow.query('commit');
    expect(sampleOf(await scrape(), published())).toBe(4);
    await publish('younger');
    expect(sampleOf(await scrape(), published())).toBe(5);
    expect(sampleOf(await scrape(), published())).toBe(5);
  } finally {
    await slow.end();
    await undone.end();
  }
});

test('kinds beyond the cap share one series', async () => {
  const { scrape } = replica({ redisUrl: null });
  await scrape();
  await sql(
    database.url,
    `insert into m10_recovery.outbox (aggregate_type, aggregate_id, event_type, payload)
     select 'order', i::text, 'type-' || i, '{}' from generate_series(1, 300) as i`,
  );
  const text = await scrape();
  const lines = text.split('\n').filter((line) => line.startsWith('m10_outbox_published_total{'));
  expect(lines).toHaveLength(51);
  expect(sampleOf(text, published('other'))).toBe(250);
});
