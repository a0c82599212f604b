import { once } from 'node:events';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { revisions } from '../../../workspace/backend/variants.js';
import { type FreshDatabase, type FreshRedis, freshDatabase, freshRedis } from '../../support/database.js';
import { type Backend, type ChildEnvironment, connect, type Database, temporaryBackend } from './support.js';

let backend: Backend;
let fresh: FreshDatabase;
let own: FreshRedis;
let db: Database;
let env: { DATABASE_URL: string; REDIS_URL: string };

beforeAll(async () => {
  [backend, fresh, own] = await Promise.all([temporaryBackend(), freshDatabase('metrics'), freshRedis()]);
  env = { DATABASE_URL: fresh.url, REDIS_URL: own.url };
  await backend.alembic(['upgrade', revisions.hardening], env);
  db = await connect(fresh.url);
});
afterAll(async () => {
  await db?.end();
  await Promise.all([fresh?.drop(), own?.drop(), backend?.remove()]);
});

/** Starts the endpoint on a free port, hands its address over, stops it with SIGTERM and returns its exit code. */
async function serving(
  with_: ChildEnvironment,
  use: (url: string) => Promise<void>,
): Promise<number | undefined> {
  const server = backend.start('python3', ['-m', 'app.metrics_server', '--port', '0'], with_);
  try {
    // The iterator of the child itself would wait for its end before it lets a loop be left.
    const [greeting] = await Promise.race([
      once(server.stdout, 'data'),
      server.then(({ stderr }) => [stderr]),
    ]);
    const url = /^Listening on (\S+)$/m.exec(String(greeting))?.[1];
    if (url === undefined) throw new Error(`The endpoint did not start: ${String(greeting)}`);
    await use(url);
  } finally {
    server.kill('SIGTERM');
  }
  return (await server).exitCode;
}

const get = async (url: string) => (await fetch(url)).text();
/** Samples alone, without HELP and TYPE. */
const samples = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('serves what the database and Redis hold at that moment, and ends with 0 on SIGTERM', async () => {
  const redis = new Redis(own.url);
  await redis.xgroup('CREATE', 'm10:evaluate:stream', 'm10:evaluate:group', '0', 'MKSTREAM');
  await redis.xadd('m10:evaluate:stream', '*', 'candidate_id', '1');
  await redis.xreadgroup('GROUP', 'm10:evaluate:group', 'worker', 'STREAMS', 'm10:evaluate:stream', '>');
  await redis.xadd('m10:evaluate:dead-letter', '*', 'original_msg_id', '1-1');
  redis.disconnect();
  await backend.python(['scripts.ops.reconcile_dl', '--json'], env);
  await backend.python(['scripts.ops.refresh_matview', '--json'], env);
  const code = await serving(env, async (url) => {
    const before = await get(`${url}/metrics`);
    expect(samples(before)).toEqual(
      expect.arrayContaining([
        'm10_metrics_source_up{source="database"} 1',
        'm10_metrics_source_up{source="redis"} 1',
        'm10_archive_total{source="reconcile_dl"} 1',
        'm10_archive_size 1',
        'm10_outbox_pending 0',
        'recovery_stream_length 1',
        'recovery_stream_consumers 1',
        'recovery_dead_letter_length 1',
        expect.stringMatching(/^recovery_matview_age_seconds\{view_name="mv_top_pending"\} \d/),
      ]),
    );
    await db.rows(`select m10_recovery.publish_outbox('order', 'a', 'http:created', '{}'),
      m10_recovery.complete_outbox_event(m10_recovery.publish_outbox('order', 'b', 'notify:"x"', '{}'), 'p', true),
      m10_recovery.complete_outbox_event(m10_recovery.publish_outbox('order', 'c', 'http:created', '{}'), 'p', false),
      m10_recovery.acquire_lock('m10:outbox_processor', 'p', 60)`);
    const later = samples(await get(`${url}/metrics`));
    expect(later.filter((line) => line.startsWith('m10_lock'))).toEqual([]);
    expect(later).toEqual(
      expect.arrayContaining([
        'm10_outbox_published_total{aggregate_type="order",event_type="http:created"} 2',
        'm10_outbox_processed_total{aggregate_type="order",event_type="notify:\\"x\\""} 1',
        'm10_outbox_failed_total{aggregate_type="order",event_type="http:created"} 1',
        'm10_outbox_pending 2',
        'm10_outbox_retry_count 1',
        'm10_outbox_processing_seconds_count{event_type="notify:\\"x\\""} 1',
        expect.stringMatching(/^m10_outbox_lag_seconds \d/),
      ]),
    );
  });
  expect(code).toBe(0);
});

test('announces every metric with HELP and TYPE', async () => {
  await serving(env, async (url) => {
    const text = await get(`${url}/metrics`);
    const names = [
      ...['acquired_total', 'failed_total', 'released_total', 'duration_seconds', 'active'].map(
        (n) => `m10_lock_${n}`,
      ),
      ...['published_total', 'processed_total', 'failed_total', 'pending', 'lag_seconds'].map(
        (n) => `m10_outbox_${n}`,
      ),
      ...['m10_outbox_retry_count', 'm10_outbox_processing_seconds'],
      ...['total', 'size', 'retention_deleted_total'].map((n) => `m10_archive_${n}`),
      ...['matview_age_seconds', 'stream_length', 'stream_consumers', 'dead_letter_length'].map(
        (n) => `recovery_${n}`,
      ),
    ];
    const announced = (kind: string) =>
      text.split('\n').flatMap((l) => (l.startsWith(`# ${kind} `) ? [l.split(' ')[2]] : []));
    expect(announced('HELP')).toEqual(expect.arrayContaining(names));
    expect(announced('TYPE')).toEqual(announced('HELP'));
  });
});

test('at revision 021 the names of 022 are there with zeros: a search for a name proves nothing', async () => {
  const other = await freshDatabase('metrics_021');
  const with_ = { DATABASE_URL: other.url, REDIS_URL: own.url };
  try {
    await backend.alembic(['upgrade', revisions.before], with_);
    await serving(with_, async (url) => {
      const text = await get(`${url}/metrics`);
      expect(text).toContain('# TYPE m10_lock_active gauge');
      expect(samples(text)).toEqual(expect.arrayContaining(['m10_outbox_pending 0', 'm10_archive_size 0']));
      expect(samples(text).filter((line) => line.startsWith('m10_lock_active'))).toEqual([]);
    });
  } finally {
    await other.drop();
  }
});

test('stays up without database and Redis, and says so', async () => {
  const nowhere = {
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/nothing',
    REDIS_URL: 'redis://127.0.0.1:1/0',
  };
  await serving(nowhere, async (url) => {
    expect(samples(await get(`${url}/metrics`))).toEqual([
      'm10_metrics_source_up{source="database"} 0',
      'm10_metrics_source_up{source="redis"} 0',
      'm10_maintenance_mode 0',
    ]);
  });
});

test('maintenance mode is switched by POST alone', async () => {
  await serving(env, async (url) => {
    const post = async (path: string) => (await fetch(`${url}${path}`, { method: 'POST' })).text();
    expect(await post('/admin/maintenance/enable')).toBe('{"enabled": true}\n');
    expect(samples(await get(`${url}/metrics`))).toContain('m10_maintenance_mode 1');
    expect((await fetch(`${url}/admin/maintenance/disable`)).status).toBe(404);
    expect(await get(`${url}/admin/maintenance`)).toBe('{"enabled": true}\n');
    expect(await post('/admin/maintenance/disable')).toBe('{"enabled": false}\n');
    expect(await get(`${url}/admin/maintenance`)).toBe('{"enabled": false}\n');
  });
});
