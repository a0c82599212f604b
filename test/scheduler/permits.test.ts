import { describe, expect, test } from 'vitest';
import { requestRun, resumeJobs } from '../../src/runbook/jobs/decide.js';
import type { JobCovers } from '../../src/runbook/jobs/port.js';
import { jobsStream } from '../../src/store/jobs.js';
import { createJournal } from '../../src/store/journal.js';
import { until } from '../store/poll.js';
import { approvalOf, asApproved, jobThat, usePlace } from './place.js';

const place = usePlace();
const job = 'reclaim-gc' as const;
const everySecond = { [job]: { schedule: '* * * * * *' } };
const seldom = { [job]: { schedule: '0 0 1 1 *' } };

const log = () => place.runs.log(job, 100);
const approve = () => place.journal.execute((state) => resumeJobs(state, approvalOf([job])));
const ask = (dryRun = false) =>
  place.journal.execute((state) =>
    requestRun(state, { by: 'UALICE', operator: true, via: 'command', job, dryRun }),
  );
const events = async () =>
  (await createJournal(place.state.pool).read(jobsStream(place.target.name))).map(({ type }) => type);
const paused = async () => (await place.journal.load()).state.paused[job];

/** A replica whose job counts its runs, and does what the test says that it does. */
function replica(config: object, covers: () => JobCovers = () => ({ kind: 'read', parts: asApproved })) {
  const seen = { runs: 0 };
  const counting = jobThat(async () => {
    seen.runs += 1;
  });
  const { scheduler } = place.replica({ jobs: [counting], config, covers: async () => covers() });
  scheduler.start();
  return { seen, scheduler };
}

async function ended() {
  await until('the request has ended', async () => (await place.journal.load()).state.requests.length === 0);
}

describe('a schedule', () => {
  test('whose job changes runs not once more, is switched off, and is told once', async () => {
    let now: Record<string, string> = asApproved;
    const { seen } = replica(everySecond, () => ({ kind: 'read', parts: now }));
    await approve();
    await until('it runs', () => seen.runs > 0);
    now = { program: 'another' };
    await until('it is switched off', async () => (await paused()) !== null);
    const { runs } = seen;
    const reason = (await paused())?.reason;
    expect(reason).toBe(
      'what it does has changed since it was approved: program: as approved when approved, another now',
    );
    // Changed back, it stays off: whoever approved did so for a schedule that went on without a break.
    now = asApproved;
    await ask(true);
    await ended();
    expect((await events()).filter((type) => type === 'ScheduleVoided')).toHaveLength(1);
    expect(
      (await log()).filter(({ trigger, outcome }) => trigger === 'schedule' && outcome === 'passed'),
    ).toHaveLength(runs);
  });

  test('is compared at the start, long before its next moment', async () => {
    await approve();
    replica(seldom, () => ({ kind: 'read', parts: { program: 'another' } }));
    await until('it is switched off', async () => (await paused()) !== null);
    expect(await log()).toEqual([]);
  });

  test('that cannot be compared does not run, and is not switched off', async () => {
    let now: JobCovers = { kind: 'failed', why: 'no right to read it' };
    const { seen } = replica(everySecond, () => now);
    await approve();
    await until('a moment has failed', async () => (await log()).some((run) => run.outcome === 'failed'));
    expect((await log())[0]?.summary).toMatch(/could not be read \(no right to read it\)/);
    expect(seen.runs).toBe(0);
    expect(await paused()).toBeNull();
    now = { kind: 'read', parts: asApproved };
    await until('it runs', () => seen.runs > 0);
  });

  test('that was on before approvals goes on, and is named once', async () => {
    const stream = jobsStream(place.target.name);
    const data = { v: 1, jobs: [job], by: 'UALICE', reason: '', run: null, via: 'command' };
    await createJournal(place.state.pool).append([
      { stream, expectedVersion: 0, events: [{ type: 'JobsResumed', data }] },
    ]);
    const both = [replica(everySecond), replica(everySecond)];
    await until('it runs', () => both.some(({ seen }) => seen.runs > 1));
    expect(await events()).toEqual(['JobsResumed', 'SchedulesUnapproved']);
    // One operator alone gets nothing out of it.
    const before = (await log()).length;
    await ask();
    await ended();
    const byHand = (await log()).slice(0, -before).find(({ trigger }) => trigger === 'hand');
    expect(byHand).toMatchObject({
      outcome: 'skipped',
      summary: expect.stringMatching(/nobody has approved/),
    });
  });
});

describe('a run that was asked for without an approval', () => {
  test('is not begun while the schedule is off', async () => {
    const { seen } = replica(seldom);
    await ask();
    await ended();
    expect(seen.runs).toBe(0);
    expect(await log()).toMatchObject([
      {
        trigger: 'hand',
        outcome: 'skipped',
        summary: expect.stringMatching(/second person.*schedule of reclaim-gc is off/),
      },
    ]);
  });

  test('is begun under the approval of the schedule, and only as it was approved', async () => {
    let now: Record<string, string> = asApproved;
    const { seen } = replica(seldom, () => ({ kind: 'read', parts: now }));
    await approve();
    await ask();
    await ended();
    expect(seen.runs).toBe(1);
    now = { program: 'another' };
    await ask();
    await ended();
    expect(seen.runs).toBe(1);
    expect(await paused()).toMatchObject({ by: null });
  });

  test('is begun when it changes nothing', async () => {
    const { seen } = replica(seldom);
    await ask(true);
    await ended();
    expect(seen.runs).toBe(1);
  });
});
