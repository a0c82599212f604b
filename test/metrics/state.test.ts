import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createStateMetrics } from '../../src/metrics/state.js';
import { encodeEvent, type RunEvent } from '../../src/runbook/events.js';
import { jobNames } from '../../src/runbook/jobs/names.js';
import { createCursors } from '../../src/store/cursors.js';
import { readStoreFigures } from '../../src/store/figures.js';
import { createInbox } from '../../src/store/inbox.js';
import { createJobRuns } from '../../src/store/job-runs.js';
import { createJobsJournal } from '../../src/store/jobs.js';
import { createJournal } from '../../src/store/journal.js';
import { readRunMoments } from '../../src/store/run-moments.js';
import { runbook } from '../checks/world.js';
import { type StateDatabase, stateDatabase } from '../store/state.js';
import { sampleOf, scraped } from './samples.js';

let database: StateDatabase;
beforeAll(async () => {
  database = await stateDatabase();
});
afterAll(() => database?.drop());
beforeEach(async () => {
  // Of a test's own database alone.
  await database.pool.query(
    `ALTER TABLE m10bot.events DISABLE TRIGGER append_only; ALTER TABLE m10bot.journal_head DISABLE TRIGGER head_stays;
     TRUNCATE m10bot.events, m10bot.inbox, m10bot.cursors, m10bot.job_runs;
     UPDATE m10bot.journal_head SET position = 0, hash = repeat('0', 64)`,
  );
});

const interval = {
  'outbox-processor': 30,
  'dl-reconcile': 600,
  'matview-refresh': 300,
  'retention-cleanup': 604_800,
  'reclaim-gc': 3_600,
};

/** The metrics of one replica, and what it takes to change what they show. */
async function replica() {
  const { pool } = database;
  const registry = new Registry();
  let broken = false;
  const journal = createJournal(pool);
  const jobs = createJobsJournal({ journal, target: 'production', now: Date.now });
  const runs = createJobRuns(pool, 'production');
  const metrics = createStateMetrics({
    registry,
    figures: async () => {
      if (broken) throw new Error('the database is away');
      return readStoreFigures(pool, ['urgent', 'cards']);
    },
    runs: {
      head: async () => (await journal.head()).position,
      moments: (...stretch) => readRunMoments(pool, ...stretch),
    },
    jobs: { state: async () => (await jobs.load()).state, health: runs.health, interval },
    log: { warn: () => {} },
    keepMs: 0,
  });
  await metrics.begin();
  return {
    jobs,
    runs,
    journal,
    pool,
    scrape: () => scraped(registry, [metrics]),
    breakIt: () => {
      broken = true;
    },
  };
}

type Replica = Awaited<ReturnType<typeof replica>>;

async function happened({ journal }: Replica, run: number, ...events: RunEvent[]): Promise<void> {
  const stream = `run:${run}`;
  await journal.append([
    { stream, expectedVersion: await journal.version(stream), events: events.map(encodeEvent) },
  ]);
}

const opened = (run: number): RunEvent => ({
  type: 'RunOpened',
  run,
  purpose: { kind: 'runbook' },
  runbook,
  digest: 'd',
  channel: 'C1',
  by: 'UALICE',
  changing: [],
});
const finished = (result: 'passed' | 'failed', durationMs: number, kind: 'phase' | 'rollback'): RunEvent => ({
  type: 'StepFinished',
  block: kind === 'phase' ? { kind, id: 'production' } : { kind },
  step: kind === 'phase' ? 'one' : 'back',
  attempt: 1,
  result,
  summary: '',
  output: '',
  outputFile: null,
  data: {},
  durationMs,
  recovered: false,
});
const gateOpened = (gate: number): RunEvent => ({
  type: 'GateOpened',
  gate,
  needs: 1,
  from: [],
  eligible: [],
  expiresAt: 0,
  fingerprint: { digest: 'x', parts: {} },
  plan: { steps: [], targets: [], sql: [], warnings: [] },
});
const closed = (outcome: 'verified' | 'closed'): RunEvent => ({
  type: 'RunClosed',
  by: 'UALICE',
  outcome,
  reason: '',
  targets: [],
});
const runs = (text: string, state: string) => sampleOf(text, `m10bot_runs{state="${state}"}`);

test('runs by where they stand, also those from before this replica began', async () => {
  const first = await replica();
  await happened(first, 1, opened(1), gateOpened(1));
  await happened(first, 2, opened(2), closed('verified'));
  const second = await replica();
  await happened(first, 3, opened(3), {
    type: 'StopRequested',
    by: 'U1',
    reason: '',
    now: false,
    via: 'command',
  });
  for (const { scrape } of [first, second]) {
    const text = await scrape();
    const states = ['waiting', 'stopped', 'running', 'verified', 'closed', 'rolled-back'];
    expect(states.map((state) => runs(text, state))).toEqual([1, 1, 0, 1, 0, 0]);
  }
  await happened(first, 1, { type: 'GateSpent', gate: 1, approvers: ['U2'], digest: 'x' });
  await happened(first, 3, closed('closed'));
  const text = await second.scrape();
  expect(['waiting', 'stopped', 'running', 'closed'].map((state) => runs(text, state))).toEqual([0, 0, 1, 1]);
});

test('steps and requests are observed from the moment this replica began, each once', async () => {
  const before = await replica();
  await happened(before, 1, opened(1), gateOpened(1), finished('passed', 7_000, 'phase'));
  const { scrape } = await replica();
  await happened(
    before,
    1,
    { type: 'GateSpent', gate: 1, approvers: ['U2'], digest: 'x' },
    finished('passed', 2_000, 'phase'),
    finished('failed', 500, 'rollback'),
    gateOpened(2),
    { type: 'GateExpired', gate: 2 },
  );
  for (let i = 0; i < 2; i += 1) {
    const text = await scrape();
    const step = (result: string) => `{uses="command",result="${result}"}`;
    expect(sampleOf(text, `m10bot_steps_seconds_count${step('passed')}`)).toBe(1);
    expect(sampleOf(text, `m10bot_steps_seconds_sum${step('passed')}`)).toBe(2);
    expect(sampleOf(text, `m10bot_steps_seconds_sum${step('failed')}`)).toBe(0.5);
    // It was opened before, and answered since.
    expect(sampleOf(text, 'm10bot_gate_wait_seconds_count{outcome="approved"}')).toBe(1);
    expect(sampleOf(text, 'm10bot_gate_wait_seconds_count{outcome="expired"}')).toBe(1);
    expect(sampleOf(text, 'm10bot_gate_wait_seconds_count{outcome="refused"}')).toBe(0);
  }
});

test('the lag of publishing is the age of the oldest event that the slowest lane has not passed', async () => {
  const bot = await replica();
  expect(sampleOf(await bot.scrape(), 'm10bot_publish_lag_seconds')).toBe(0);
  const old = createJournal(bot.pool, { now: () => new Date(Date.now() - 500_000) });
  await old.append([
    { stream: 'desk:C1', expectedVersion: 0, events: [{ type: 'X', data: {}, actor: null }] },
  ]);
  await bot.journal.append([
    { stream: 'desk:C1', expectedVersion: 1, events: [{ type: 'X', data: {}, actor: null }] },
  ]);
  const cursors = createCursors(bot.pool);
  await cursors.advance('urgent', 0, 2);
  const lag = async () => sampleOf(await bot.scrape(), 'm10bot_publish_lag_seconds') ?? Number.NaN;
  expect(await lag()).toBeGreaterThanOrEqual(500);
  await cursors.advance('cards', 0, 1);
  expect(await lag()).toBeLessThan(400);
  await cursors.advance('cards', 1, 2);
  expect(await lag()).toBe(0);
});

test('the inbox: what waits, since when, and what was given up', async () => {
  const { scrape, pool } = await replica();
  const inbox = createInbox(pool, { maxAttempts: 1 });
  await inbox.receive({ key: 'a', kind: 'command', payload: {} });
  await inbox.receive({ key: 'b', kind: 'command', payload: {} });
  await pool.query(`UPDATE m10bot.inbox SET received_at = now() - interval '90 s' WHERE key = 'a'`);
  const text = await scrape();
  expect(sampleOf(text, 'm10bot_inbox_pending')).toBe(2);
  expect(sampleOf(text, 'm10bot_inbox_oldest_seconds')).toBeGreaterThanOrEqual(90);
  const [item] = await inbox.claim({ owner: 'x', limit: 1, leaseMs: 60_000 });
  await inbox.fail(item?.id ?? 0, 'broken');
  const after = await scrape();
  expect([sampleOf(after, 'm10bot_inbox_pending'), sampleOf(after, 'm10bot_inbox_dead')]).toEqual([1, 1]);
});

test('jobs: when they ran and passed last, failures in a row, schedules that are on, alarms', async () => {
  const { scrape, jobs, runs: table } = await replica();
  const none = await scrape();
  expect(none).not.toMatch(/^m10bot_job_(last|resumed|alarm)/m);
  expect(sampleOf(none, 'm10bot_job_failures{job="dl-reconcile"}')).toBe(0);
  for (const job of jobNames) {
    expect(sampleOf(none, `m10bot_job_interval_seconds{job="${job}"}`)).toBe(interval[job]);
  }
  const start = {
    job: 'dl-reconcile',
    tick: null,
    trigger: 'hand',
    by: null,
    dryRun: false,
    owner: 'o',
  } as const;
  const report = { summary: '', counts: {}, output: '', advice: '', durationMs: 1 };
  const ran = async (outcome: 'passed' | 'failed', dryRun = false) =>
    table.finish((await table.begin({ ...start, dryRun })) ?? 0, { ...report, outcome });
  await ran('passed');
  await database.pool.query(
    `UPDATE m10bot.job_runs SET finished_at = finished_at - interval '100 s', started_at = started_at - interval '100 s'`,
  );
  await ran('failed');
  await ran('failed');
  // A dry run proves nothing.
  await ran('passed', true);
  await jobs.execute(() => ({
    kind: 'accepted',
    events: [
      { type: 'JobsResumed', jobs: ['dl-reconcile'], by: 'U1', reason: '', run: null, via: 'command' },
      {
        type: 'JobAlarmRaised',
        job: 'dl-reconcile',
        alarm: 'failing',
        failures: 1,
        summary: '',
        error: '',
        advice: '',
      },
    ],
  }));
  const text = await scrape();
  const of = (name: string, rest = '') =>
    sampleOf(text, `m10bot_job_${name}{job="dl-reconcile"${rest}}`) ?? 0;
  expect(of('failures')).toBe(2);
  expect(of('alarm', ',alarm="failing"')).toBe(1);
  const now = Date.now() / 1_000;
  expect(now - of('last_success_timestamp_seconds')).toBeGreaterThanOrEqual(99);
  expect(now - of('last_success_timestamp_seconds')).toBeLessThan(200);
  expect(now - of('last_run_timestamp_seconds')).toBeLessThan(60);
  expect(now - of('resumed_timestamp_seconds')).toBeLessThan(60);
  expect(text).not.toContain('m10bot_job_resumed_timestamp_seconds{job="reclaim-gc"}');
});

test('when the state database is away its figures are absent, and the replica says so', async () => {
  const { scrape, breakIt } = await replica();
  expect(sampleOf(await scrape(), 'm10bot_state_up')).toBe(1);
  breakIt();
  const text = await scrape();
  expect(sampleOf(text, 'm10bot_state_up')).toBe(0);
  expect(sampleOf(text, 'm10bot_state_errors_total')).toBe(1);
  expect(text).not.toMatch(/^m10bot_(runs|publish_lag|inbox|job_failures)/m);
});
