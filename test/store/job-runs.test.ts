import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JobReport } from '../../src/runbook/jobs/port.js';
import { createJobRuns, type JobRunStart, type JobRuns } from '../../src/store/job-runs.js';
import { stateDatabase } from './state.js';

let database: Awaited<ReturnType<typeof stateDatabase>>;
let runs: JobRuns;
beforeAll(async () => {
  database = await stateDatabase();
  runs = createJobRuns(database.pool, 'production');
});
afterAll(() => database.drop());
beforeEach(() => database.pool.query('TRUNCATE m10bot.job_runs'));

const start: JobRunStart = {
  job: 'matview-refresh',
  tick: null,
  trigger: 'schedule',
  by: null,
  dryRun: false,
  owner: 'a',
};
const report: JobReport = {
  outcome: 'passed',
  summary: 'Refreshed.',
  counts: { refreshed: 1 },
  output: 'one line',
  advice: '',
  durationMs: 1_250.4,
};

async function ran(outcome: JobReport['outcome'] | 'running', over: Partial<JobRunStart> = {}) {
  const id = await runs.begin({ ...start, ...over });
  if (id === null) throw new Error('taken');
  if (outcome !== 'running') await runs.finish(id, { ...report, outcome });
  return id;
}

describe('the table of job runs', () => {
  it('gives a tick to one of ten that ask at once, for each job and target of its own', async () => {
    const tick = Date.parse('2025-03-30T01:00:00.123Z');
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => runs.begin({ ...start, tick, owner: `r${n}` })),
    );
    expect(answers.filter((id) => id !== null)).toHaveLength(1);
    expect(await runs.begin({ ...start, tick, job: 'reclaim-gc' })).not.toBeNull();
    expect(await createJobRuns(database.pool, 'staging').begin({ ...start, tick })).not.toBeNull();
    expect(await runs.log('matview-refresh', 10)).toMatchObject([{ tick, outcome: 'running' }]);
  });

  it('lets runs without a tick stand side by side', async () => {
    expect(await ran('passed', { trigger: 'hand', by: 'U1' })).toBeLessThan(
      await ran('passed', { trigger: 'runbook', by: 'U1' }),
    );
  });

  it('keeps how a run ended, once', async () => {
    const id = await ran('running');
    expect(await runs.finish(id, { ...report, output: `\0${'x'.repeat(100_000)}` })).toBe(true);
    expect(await runs.finish(id, { ...report, outcome: 'failed' })).toBe(false);
    const [record] = await runs.log('matview-refresh', 1);
    expect(record).toMatchObject({
      ...start,
      id,
      outcome: 'passed',
      counts: report.counts,
      durationMs: 1_250,
    });
    expect(record?.output.length).toBeLessThan(21_000);
    expect(record?.output).toMatch(/^\uFFFDx+\n… cut: 80001 more characters$/);
  });

  it('counts failures in a row: skipped, dry and unfinished runs count neither way', async () => {
    expect(await runs.failuresInRow('matview-refresh')).toBe(0);
    await ran('failed');
    await ran('passed');
    await ran('failed');
    await ran('skipped');
    await ran('lost');
    await ran('passed', { dryRun: true });
    await ran('failed', { dryRun: true });
    await ran('failed', { job: 'reclaim-gc' });
    await ran('running');
    expect(await runs.failuresInRow('matview-refresh')).toBe(2);
    await ran('passed');
    expect(await runs.failuresInRow('matview-refresh')).toBe(0);
  });

  it('tells the newest run, the last success and the health of each job', async () => {
    await ran('passed');
    await ran('failed');
    await ran('skipped');
    const running = await ran('running');
    await ran('failed', { job: 'reclaim-gc' });
    const last = await runs.last();
    expect([...last.keys()].sort()).toEqual(['matview-refresh', 'reclaim-gc']);
    expect(last.get('matview-refresh')).toMatchObject({ id: running, outcome: 'running', finishedAt: null });
    expect([...(await runs.lastSuccess()).keys()]).toEqual(['matview-refresh']);
    const health = await runs.health();
    const [, skipped, failed, passed] = await runs.log('matview-refresh', 10);
    expect(health['matview-refresh']).toEqual({
      failures: 1,
      last: skipped,
      trouble: failed,
      runningSince: last.get('matview-refresh')?.startedAt,
      ranAt: failed?.finishedAt,
      passedAt: passed?.finishedAt,
    });
    expect(health['reclaim-gc']).toMatchObject({ failures: 1, passedAt: null, runningSince: null });
    const nothing = { last: null, trouble: null, ranAt: null, passedAt: null, runningSince: null };
    expect(health['outbox-processor']).toEqual({ failures: 0, ...nothing });
  });

  it('ends as lost what a dead replica left running', async () => {
    const dead = await ran('running');
    const own = await ran('running', { owner: 'b' });
    expect(await runs.abandon('matview-refresh', own)).toBe(1);
    expect(await runs.log('matview-refresh', 5)).toMatchObject([
      { id: own, outcome: 'running' },
      { id: dead, outcome: 'lost', summary: 'The replica that ran it ended in the middle.' },
    ]);
    expect(await runs.finish(dead, report)).toBe(false);
  });

  it('deletes old runs, but never the newest of a job', async () => {
    await ran('passed');
    await ran('failed');
    const newest = await ran('passed');
    await ran('passed', { job: 'reclaim-gc' });
    await database.pool.query(`UPDATE m10bot.job_runs SET started_at = now() - interval '2 days'`);
    expect(await runs.prune(3 * 86_400_000)).toBe(0);
    expect(await runs.prune(86_400_000)).toBe(2);
    expect((await runs.log('matview-refresh', 9)).map((run) => run.id)).toEqual([newest]);
    expect(await runs.log('reclaim-gc', 9)).toHaveLength(1);
  });
});
