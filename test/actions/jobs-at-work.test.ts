import { afterEach, describe, expect, test } from 'vitest';
import { jobsPause } from '../../src/actions/jobs/pause.js';
import { jobsResume } from '../../src/actions/jobs/resume.js';
import { jobsRun } from '../../src/actions/jobs/run.js';
import { jobsScheduled } from '../../src/checks/jobs-scheduled.js';
import type { TargetConfig } from '../../src/config.js';
import { jobNames } from '../../src/runbook/jobs/names.js';
import type { StepContext } from '../../src/runbook/step-kind.js';
import type { Job, JobContext } from '../../src/scheduler/job.js';
import { contextOf, probe, run } from '../checks/world.js';
import { aborted, jobThat, type Replica, usePlace } from '../scheduler/place.js';
import { until } from '../store/poll.js';

// The steps over the scheduler itself, its locks and its records; only what a job does is a test's own.
const place = usePlace();
const all = { jobs: 'all' };
const gc = { job: 'reclaim-gc' };

/** What the job reclaim-gc does; each test may have it do something else. */
let work: (context: JobContext) => Promise<void> = async () => undefined;
afterEach(() => {
  work = async () => undefined;
});

function bot(given: { readonly schedule?: string } = {}) {
  const jobs: Job[] = jobNames.map((name) =>
    jobThat((context) => (name === 'reclaim-gc' ? work(context) : Promise.resolve()), {
      name,
      lock: name === 'reclaim-gc' ? 'm10:reclaim_gc' : `m10:test:${name}`,
    }),
  );
  // Far away but for one: the first moment of the schedule is then that one's.
  const never = Object.fromEntries(jobNames.map((name) => [name, { schedule: '0 0 1 1 *' }]));
  const replica = place.replica({
    jobs,
    config: { ...never, 'reclaim-gc': { schedule: given.schedule ?? '0 0 1 1 *' } },
    pace: { pauseWaitMs: 300, patienceMs: 0 },
  });
  replica.scheduler.start();
  return {
    replica,
    deps: place.world.deps({ jobs: { config: replica.config, port: replica.scheduler.port } }),
  };
}

const context = (given: Partial<Pick<StepContext<TargetConfig>, 'startedAt' | 'signal'>> = {}) =>
  contextOf(place.target, given);
const locks = () => place.sql('select lock_name, holder_id from m10_recovery.distributed_locks');
const events = async () => (await place.journal.load()).state;

test('every job begins off; a step switches them on, and the first moment of a schedule is run', async () => {
  const { deps } = bot({ schedule: '* * * * * *' });
  const scheduled = jobsScheduled(deps);
  expect(await run(scheduled, { ...all, state: 'off' }, context())).toMatchObject({ result: 'passed' });
  expect(await run(scheduled, { ...all, state: 'on' }, context())).toMatchObject({ result: 'failed' });
  expect(await run(jobsResume(deps), all, context())).toMatchObject({ result: 'passed' });
  const on = await run(scheduled, { ...all, state: 'on', within: '30s' }, context());
  expect(on.summary).toMatch(/reclaim-gc ran by its schedule .*: Did it\./);
  expect(on.result).toBe('passed');
  expect(await run(scheduled, { ...all, state: 'off' }, context())).toMatchObject({ result: 'failed' });
  const { paused, resumedAt } = await events();
  expect(Object.values(paused)).toEqual(jobNames.map(() => null));
  expect(resumedAt['reclaim-gc']).not.toBeNull();
});

test('a pause passes where there is no table of locks, as at 021: nothing of 022 can be at work', async () => {
  const { deps } = bot();
  await run(jobsResume(deps), all, context());
  await place.sql('alter table m10_recovery.distributed_locks rename to moved_away');
  try {
    expect((await run(jobsPause(deps), all, context())).result).toBe('passed');
  } finally {
    await place.sql('alter table m10_recovery.moved_away rename to distributed_locks');
  }
});

describe('a pause', () => {
  /** A run that ends only when it is told to, and takes its time then. */
  async function underWay(replica: Replica, endsAfterMs: number) {
    let began = false;
    work = async ({ signal }) => {
      began = true;
      await aborted(signal);
      await new Promise((done) => setTimeout(done, endsAfterMs));
    };
    const ended = replica.scheduler.port.runOnce({
      job: 'reclaim-gc',
      dryRun: false,
      by: 'UCAROL',
      trigger: 'hand',
      signal: new AbortController().signal,
    });
    await until('the job is at work', async () => began && (await locks()).length > 0);
    return ended;
  }

  test('ends the run that is under way, waits until its lock is free, and nothing begins afterwards', async () => {
    const { replica, deps } = bot({ schedule: '* * * * * *' });
    await run(jobsResume(deps), { jobs: ['reclaim-gc'] }, context());
    // Longer than the jobs themselves wait: the step asks again.
    void underWay(replica, 1_000);
    await until('it is at work', async () => (await locks()).length > 0);
    const outcome = await run(jobsPause(deps), { ...all, reason: 'the way back' }, context());
    expect(outcome.result).toBe('passed');
    expect(await locks()).toEqual([]);
    expect((await events()).paused['reclaim-gc']).toMatchObject({
      by: 'UALICE',
      reason: 'the way back',
      run: 7,
    });
    const before = (await place.runs.log('reclaim-gc', 100)).length;
    expect(await run(jobsScheduled(deps), { ...all, state: 'off' }, context())).toMatchObject({
      result: 'passed',
    });
    await new Promise((done) => setTimeout(done, 1_500));
    expect(await place.runs.log('reclaim-gc', 100)).toHaveLength(before);
  });

  test('ends a run by hand too, although its schedule is off', async () => {
    const { replica, deps } = bot();
    const ended = underWay(replica, 0);
    await until('it is at work', async () => (await locks()).length > 0);
    expect((await run(jobsPause(deps), all, context())).result).toBe('passed');
    expect((await ended).outcome).not.toBe('running');
    expect(await locks()).toEqual([]);
  });

  test('holds on another replica as well', async () => {
    const { replica } = bot();
    const { deps } = bot();
    const ended = underWay(replica, 0);
    await until('it is at work', async () => (await locks()).length > 0);
    await run(jobsResume(deps), all, context());
    expect((await run(jobsPause(deps), all, context())).result).toBe('passed');
    expect(await locks()).toEqual([]);
    await ended;
  });
});

describe('a run within a runbook', () => {
  test('is noted as such, and found by the probe with its result', async () => {
    const { deps } = bot();
    const given = context({ startedAt: Date.now() - 1_000 });
    const outcome = await run(jobsRun(deps), gc, given);
    expect(outcome).toEqual({ result: 'passed', summary: 'reclaim-gc: Did it.', output: '' });
    expect(await place.runs.log('reclaim-gc', 5)).toMatchObject([
      { trigger: 'runbook', by: 'UALICE', dryRun: false, outcome: 'passed' },
    ]);
    expect(await probe(jobsRun(deps), gc, given)).toEqual({ kind: 'done', outcome });
    expect(await probe(jobsRun(deps), { job: 'dl-reconcile' }, given)).toMatchObject({ kind: 'not_done' });
  });

  test('is not run, and says so, while another worker has its lock', async () => {
    const { deps } = bot();
    await place.sql(`select m10_recovery.acquire_lock('m10:reclaim_gc', 'the old worker', 300)`);
    const outcome = await run(jobsRun(deps), gc, context());
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toMatch(/^reclaim-gc was not run: .*the old worker/);
  });

  test('whose replica died is running as long as its lock lives; then it is run again', async () => {
    const given = context({ startedAt: Date.now() - 1_000 });
    const dead = { job: 'reclaim-gc', tick: null, trigger: 'runbook', by: 'UALICE', dryRun: false } as const;
    await place.runs.begin({ ...dead, owner: 'gone:1:aa' });
    await place.sql(`select m10_recovery.acquire_lock('m10:reclaim_gc', 'm10bot:gone:1:aa', 300)`);
    const { deps } = bot();
    expect(await probe(jobsRun(deps), gc, given)).toMatchObject({ kind: 'running' });
    expect((await run(jobsScheduled(deps), { ...all, state: 'off' }, given)).result).toBe('failed');
    await place.sql('update m10_recovery.distributed_locks set expires_at = now()');
    expect(await probe(jobsRun(deps), gc, given)).toMatchObject({ kind: 'not_done' });
    expect((await run(jobsRun(deps), gc, given)).result).toBe('passed');
    expect(await probe(jobsRun(deps), gc, given)).toMatchObject({ kind: 'done' });
  });

  test('ends when the step is stopped, before its time', async () => {
    const { deps } = bot();
    const stop = new AbortController();
    work = async ({ signal }) => {
      stop.abort();
      await aborted(signal);
    };
    const outcome = await run(jobsRun(deps), gc, context({ signal: stop.signal }));
    expect(await locks()).toEqual([]);
    expect(outcome).toMatchObject({
      result: 'failed',
      summary: 'reclaim-gc: Did it. Stopped early: the step was stopped.',
    });
  });
});
