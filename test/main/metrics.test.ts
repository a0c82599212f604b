import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type JobsConfig, JobsFile, jobsConfig } from '../../src/config-jobs.js';
import { type Metrics, startMetrics } from '../../src/main/metrics.js';
import { createJournal } from '../../src/store/journal.js';
import { after, createWorld, type World } from '../checks/world.js';
import { documented } from '../metrics/documented.js';
import { namesOf, promtool, sampleOf } from '../metrics/samples.js';
import { type StateDatabase, stateDatabase } from '../store/state.js';
import { type FreshRedis, freshRedis } from '../support/database.js';

let world: World;
let state: StateDatabase;
let redis: FreshRedis;
let metrics: Metrics;
let connected = true;
let differs: string | null = null;
let port = 0;
const settings = { state: { databaseUrl: null, directory: '', stopWaitMs: 20_000 } };
beforeAll(async () => {
  [world, state, redis] = await Promise.all([createWorld(), stateDatabase(), freshRedis()]);
  const target = await world.databaseAt(after);
  settings.state.directory = world.directory;
  metrics = await start(target.url);
  port = metrics.port;
});
afterAll(async () => {
  await metrics?.close();
  await redis?.drop();
  await state?.drop().catch(() => undefined);
  await world?.drop();
});

let aheadMs = 0;

function start(databaseUrl: string, listen = 0): Promise<Metrics> {
  const jobs: JobsConfig = jobsConfig(JobsFile.parse({ target: 'production' }));
  return startMetrics({
    config: {
      metrics: { host: '127.0.0.1', port: listen },
      jobs,
      targets: { production: world.target({ databaseUrl, redisUrl: redis.url }) },
      state: settings.state,
    },
    pool: state.pool,
    journal: createJournal(state.pool),
    journalDiffers: () => differs,
    connected: () => connected,
    clock: { aheadMs: () => aheadMs },
    redact: (text) => text,
    log: { warn: () => {}, error: () => {} },
    now: Date.now,
  });
}

async function get(
  path: string,
  method = 'GET',
): Promise<{ status: number; type: string | null; text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}

test('GET and HEAD of three paths, nothing else', async () => {
  expect(await get('/healthz')).toMatchObject({ status: 200, text: 'alive\n' });
  expect(await get('/metrics?x=1')).toMatchObject({
    status: 200,
    type: expect.stringContaining('version=0.0.4'),
  });
  expect(await get('/metrics', 'HEAD')).toMatchObject({ status: 200, text: '' });
  expect((await get('/')).status).toBe(404);
  expect((await get('/metrics/x')).status).toBe(404);
  expect((await get('/metrics', 'POST')).status).toBe(405);
  expect((await get('/metrics', 'DELETE')).status).toBe(405);
});

test('promtool has nothing to say against what is shown, with a sample of everything', async () => {
  const { observe } = metrics;
  observe.lock('m10:reconcile_dl', 'acquired');
  observe.lock('m10:reconcile_dl', 'released', 1.5);
  observe.lock('m10:reclaim_gc', 'failed');
  const event = { aggregateType: 'order', eventType: 'http:"quoted\\\n', seconds: 0.1 };
  for (const kind of ['processed', 'failed', 'dead'] as const) observe.outbox({ ...event, kind });
  observe.archived('dl-reconcile', 3);
  observe.retentionDeleted(1_000);
  observe.jobRun('dl-reconcile', 'passed', 2);
  const { text } = await get('/metrics');
  expect(promtool(['check', 'metrics'], text)).toEqual({ code: 0, output: '' });
  expect(sampleOf(text, 'm10_lock_acquired_total{lock_name="m10:reconcile_dl"}')).toBe(1);
  expect(sampleOf(text, 'm10_lock_released_total{lock_name="m10:reconcile_dl"}')).toBe(1);
  expect(sampleOf(text, 'm10_lock_failed_total{lock_name="m10:reclaim_gc"}')).toBe(1);
  expect(sampleOf(text, 'm10_lock_duration_seconds_sum{lock_name="m10:reconcile_dl"}')).toBe(1.5);
  const labels = '{aggregate_type="order",event_type="http:\\"quoted\\\\\\n"}';
  for (const name of ['m10_outbox_processed_total', 'm10_outbox_failed_total', 'm10bot_outbox_dead_total']) {
    expect(sampleOf(text, `${name}${labels}`), name).toBe(1);
  }
  // The try that gave it up is one of the failed ones.
  expect(text).toMatch(/^m10_outbox_processing_seconds_count\{.*\} 2$/m);
  expect(sampleOf(text, 'm10_archive_total{source="dl-reconcile"}')).toBe(3);
  expect(sampleOf(text, 'm10_archive_retention_deleted_total')).toBe(1_000);
  expect(sampleOf(text, 'm10bot_job_runs_total{job="dl-reconcile",outcome="passed"}')).toBe(1);
  expect(sampleOf(text, 'm10bot_job_runs_total{job="dl-reconcile",outcome="failed"}')).toBe(0);
  expect(sampleOf(text, 'm10bot_job_interval_seconds{job="outbox-processor"}')).toBe(30);
  expect(sampleOf(text, 'm10bot_job_interval_seconds{job="retention-cleanup"}')).toBe(604_800);
  expect(namesOf(text)).toContain('process_cpu_seconds_total');
});

test('the page for operators lists every metric with its type and labels, and no other', async () => {
  const shown = (await metrics.registry.getMetricsAsJSON())
    .filter(({ name }) => !/^(process|nodejs)_/.test(name))
    .map(({ name, type }) => {
      const metric = metrics.registry.getSingleMetric(name);
      const { labelNames } = z.looseObject({ labelNames: z.array(z.string()) }).parse(metric);
      return [name, { type, labels: labelNames }];
    });
  expect(Object.fromEntries(documented())).toEqual(Object.fromEntries(shown));
});

test('what the bot posts is counted by what Slack answered', async () => {
  const slack = metrics.countPosts({ call: async () => ({}), share: async () => 'F0X' });
  await slack.call('chat.postMessage', {});
  await slack.call('chat.update', {});
  await slack.call('conversations.history', {});
  await slack.share({ channel: 'C1', filename: 'x', title: 'x', content: 'x' });
  const { text } = await get('/metrics');
  expect(sampleOf(text, 'm10bot_slack_posts_total{result="ok"}')).toBe(3);
  expect(sampleOf(text, 'm10bot_slack_posts_total{result="refused"}')).toBe(0);
});

test('a port that is taken is a mistake of the configuration, by its name', async () => {
  const taken = createServer();
  const at = await new Promise<number>((resolve) => {
    taken.listen(0, '127.0.0.1', () => {
      const address = taken.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  await expect(start(state.url, at)).rejects.toThrow(
    `environment METRICS_PORT: port ${at} of 127.0.0.1 is taken; give another one, or 0 for any free one`,
  );
  taken.close();
});

test('readiness says part by part what is wrong; the process is alive all the same', async () => {
  const parts = async () => {
    const { status, text } = await get('/readyz');
    return {
      status,
      parts: text
        .trimEnd()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
    };
  };
  const fine = { part: 'state database', ready: true, why: null };
  const files = { part: 'state directory', ready: true, why: null };
  const clock = { part: 'clock', ready: true, why: null };
  expect(await parts()).toEqual({
    status: 200,
    parts: [fine, files, clock, { part: 'Slack', ready: true, why: null }],
  });
  differs = 'position 4 stands with another hash';
  expect(await parts()).toMatchObject({
    status: 200,
    parts: [fine, files, clock, { ready: true }, { part: 'journal', ready: true, why: differs }],
  });
  differs = null;
  // procfs takes no files, whoever asks.
  const own = settings.state.directory;
  settings.state.directory = '/proc';
  expect(await parts()).toMatchObject({
    status: 503,
    parts: [
      fine,
      { part: 'state directory', ready: false, why: expect.stringMatching(/^E[A-Z]+:/) },
      clock,
      {},
    ],
  });
  settings.state.directory = own;
  connected = false;
  expect(await parts()).toEqual({
    status: 503,
    parts: [fine, files, clock, { part: 'Slack', ready: false, why: 'not connected' }],
  });
  connected = true;
  aheadMs = -600_000;
  expect(await parts()).toMatchObject({
    status: 200,
    parts: [fine, files, { part: 'clock', ready: true, why: expect.stringContaining('600 s behind') }, {}],
  });
  await state.drop();
  expect(await parts()).toMatchObject({
    status: 503,
    parts: [{ ready: false }, { ready: true }, { ready: true }, { ready: true }],
  });
  expect((await get('/healthz')).status).toBe(200);
  const { status, text } = await get('/metrics');
  expect(status).toBe(200);
  expect(sampleOf(text, 'm10_outbox_pending')).toBe(0);
});
