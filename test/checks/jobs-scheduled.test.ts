import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { jobsScheduled } from '../../src/checks/jobs-scheduled.js';
import type { TargetConfig } from '../../src/config.js';
import { jobNames } from '../../src/runbook/jobs/names.js';
import type { StepKind } from '../../src/runbook/step-kind.js';
import { type PlayedJobs, playedJobs, record } from './jobs-port.js';
import { contextOf, createWorld, run, type World } from './world.js';

let world: World;
let jobs: PlayedJobs;
let kind: StepKind<TargetConfig>;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());
beforeEach(() => {
  jobs = playedJobs();
  kind = jobsScheduled(world.deps({ jobs }));
});

// The port is played, so nobody asks this database.
const context = (timeoutMs = 60_000) =>
  contextOf(world.target({ databaseUrl: 'postgresql://u@127.0.0.1:1/none' }), {
    signal: AbortSignal.timeout(timeoutMs),
  });
const approved = { approval: { run: 7, gate: 1, approvers: ['UBOB'] }, parts: {} };
const switchOn = () => jobs.port.resume({ jobs: jobNames, by: 'UALICE', reason: '', ...approved });
const on = { jobs: 'all', state: 'on' };
const off = { jobs: 'all', state: 'off' };

it('on: every job named is on, waits for nothing and has a next run', async () => {
  await switchOn();
  const outcome = await run(kind, on, context());
  expect(outcome).toMatchObject({ result: 'passed' });
  expect(outcome.summary).toMatch(/all 5 jobs are on; next is outbox-processor/);
  expect(outcome.output).toMatch(/2026-01-01T00:00:00/);
});

it('on: a job that is off, that waits for something or has no next run fails it, by name', async () => {
  await switchOn();
  jobs.set('dl-reconcile', { paused: { by: 'UCAROL', reason: 'it was slow', at: 1, run: null } });
  jobs.set('reclaim-gc', { waitsFor: ['table m10_recovery.outbox'] });
  jobs.set('matview-refresh', { nextRun: null });
  const outcome = await run(kind, on, context());
  expect(outcome.result).toBe('failed');
  expect(outcome.summary).toMatch(/dl-reconcile is switched off \(it was slow\)/);
  expect(outcome.summary).toMatch(/reclaim-gc waits for table m10_recovery\.outbox/);
  expect(outcome.summary).toMatch(/matview-refresh has no next run/);
  expect((await run(kind, { ...on, jobs: ['outbox-processor'] }, context())).result).toBe('passed');
});

it('on: unknown when the target cannot be asked', async () => {
  await switchOn();
  jobs.set('reclaim-gc', { waitsFor: null });
  expect(await run(kind, on, context())).toMatchObject({ result: 'unknown' });
});

it('on, within: waits for a run of the job that is due first, by its schedule and after the check began', async () => {
  await switchOn();
  const given = context();
  const note = (change: Partial<Parameters<typeof record>[0]>) =>
    jobs.records.unshift(
      record({ job: 'outbox-processor', trigger: 'schedule', startedAt: given.startedAt + 1, ...change }),
    );
  note({ startedAt: given.startedAt - 1 });
  note({ trigger: 'hand' });
  note({ job: 'dl-reconcile' });
  note({ outcome: 'skipped', summary: 'another worker has the lock' });
  setTimeout(() => note({ summary: 'Delivered 2 events.' }), 400);
  const outcome = await run(kind, { ...on, within: '30s' }, given);
  expect(outcome).toMatchObject({ result: 'passed' });
  expect(outcome.summary).toMatch(/outbox-processor ran by its schedule .*: Delivered 2 events\./);
});

it('on, within: fails when that run failed, and when there was none in time', async () => {
  await switchOn();
  const none = await run(kind, { ...on, within: '400ms' }, context());
  expect(none).toMatchObject({ result: 'failed' });
  expect(none.summary).toMatch(/outbox-processor .* did not run within 400 ms/);
  const given = context();
  const failure = { outcome: 'failed', summary: 'No host is allowed.', advice: 'Allow one.' } as const;
  jobs.records.unshift(
    record({ job: 'outbox-processor', trigger: 'made-up', startedAt: given.startedAt + 1, ...failure }),
  );
  const failed = await run(kind, { ...on, within: '30s' }, given);
  expect(failed).toMatchObject({ result: 'failed' });
  expect(failed.summary).toMatch(/did not pass: No host is allowed\. Allow one\./);
});

it('off: paused, and no lock of ours', async () => {
  const leader = { holder: 'host:9', expiresAt: Date.now() + 60_000, ours: true };
  expect(await run(kind, off, context())).toMatchObject({ result: 'passed' });
  jobs.set('reclaim-gc', { leader: { ...leader, ours: false } });
  const others = await run(kind, off, context());
  expect(others).toMatchObject({
    result: 'passed',
    output: expect.stringMatching(/a worker that is not this bot/),
  });
  jobs.set('reclaim-gc', { leader });
  expect((await run(kind, off, context())).summary).toMatch(/a run of reclaim-gc is under way/);
  jobs.set('reclaim-gc', { leader: null, paused: null });
  expect((await run(kind, off, context())).summary).toMatch(/^reclaim-gc is switched on$/);
});
