import { describe, expect, it } from 'vitest';
import { compareSchedules, resumeJobs } from '../../../src/runbook/jobs/decide.js';
import { decodeJobEvent } from '../../../src/runbook/jobs/events.js';
import { type JobName, jobNames } from '../../../src/runbook/jobs/names.js';
import { type Deed, demandOf, type Standing, scheduleOf } from '../../../src/runbook/jobs/rule.js';
import { standingOf } from '../../../src/runbook/jobs/schedules.js';
import { initialJobs } from '../../../src/runbook/jobs/state.js';
import { alice, approval, asApproved, given, partsOf, paused, resumed, resumedAlone, t0 } from './spec.js';

const job = 'retention-cleanup';
const standings: readonly Standing[] = ['off', 'unapproved', 'changed', 'unread', 'approved'];
const runOf = (name: JobName, change: Partial<Extract<Deed, { kind: 'run-job' }>> = {}): Deed => ({
  kind: 'run-job',
  job: name,
  dryRun: false,
  program: false,
  ...change,
});
const demands = (deed: Deed) => standings.map((standing) => demandOf(deed, standing).kind);
const onlyApproved = ['gated', 'gated', 'gated', 'gated', 'free'];
const never = standings.map(() => 'gated');
const always = standings.map(() => 'free');

describe('what one operator may do on demand', () => {
  it.each(['outbox-processor', 'dl-reconcile', 'retention-cleanup', 'reclaim-gc'] as const)(
    'a run of %s only while its schedule is on, approved and unchanged',
    (name) => {
      expect(demands(runOf(name))).toEqual(onlyApproved);
      expect(scheduleOf(runOf(name))).toBe(name);
    },
  );

  it('a run that neither deletes nor delivers, and a dry run, always', () => {
    expect(demands(runOf('matview-refresh'))).toEqual(always);
    for (const name of jobNames) expect(demands(runOf(name, { dryRun: true }))).toEqual(always);
  });

  it('a program, even one that is said to change nothing, like a job that deletes', () => {
    for (const name of jobNames) {
      expect(demands(runOf(name, { program: true }))).toEqual(onlyApproved);
      expect(demands(runOf(name, { program: true, dryRun: true }))).toEqual(onlyApproved);
    }
  });

  it('a retry of an event only while the schedule that delivers it is approved', () => {
    expect(demands({ kind: 'outbox-retry' })).toEqual(onlyApproved);
    expect(scheduleOf({ kind: 'outbox-retry' })).toBe('outbox-processor');
  });

  it.each(['switch-on', 'locks-release', 'replays-cleanup', 'dead-letter-replay'] as const)(
    '%s never',
    (kind) => {
      expect(demands({ kind })).toEqual(never);
    },
  );

  it.each(['switch-off', 'locks-cleanup'] as const)('%s always', (kind) => {
    expect(demands({ kind })).toEqual(always);
  });

  it('is told why not', () => {
    expect(demandOf(runOf(job), 'off')).toEqual({
      kind: 'gated',
      why: 'it deletes rows, and the schedule of retention-cleanup is off',
    });
  });
});

describe('how a schedule stands', () => {
  const standing = (events: Parameters<typeof given>[0], now: Record<string, string> | null = asApproved) =>
    standingOf(given(events), job, now);

  it('is approved while it is on and does what was approved', () => {
    expect(standing([resumed()])).toBe('approved');
    expect(standing([])).toBe('off');
    expect(standing([resumed(), paused()])).toBe('off');
    expect(standing([resumed()], { ...asApproved, program: './other' })).toBe('changed');
    expect(standing([resumed()], null)).toBe('unread');
  });

  it('of before approvals never counts as approved, noticed or not', () => {
    const noticed = { type: 'SchedulesUnapproved' as const, jobs: [job] as JobName[], parts: partsOf([job]) };
    expect(standing([resumedAlone()])).toBe('unapproved');
    expect(standing([resumedAlone(), noticed])).toBe('unapproved');
    expect(standing([resumedAlone(), noticed, resumed()])).toBe('approved');
  });
});

describe('a schedule that is compared', () => {
  const now = (parts: Record<string, string>) => partsOf([job], parts);
  const changed = { ...asApproved, program: './other' };
  const events = (state = initialJobs, parts: Record<string, string> = asApproved) => {
    const decided = compareSchedules(state, now(parts));
    return decided.kind === 'accepted' ? decided.events : expect.unreachable();
  };

  it('and does what was approved stays on, without a word', () => {
    expect(events(given([resumed()]))).toEqual([]);
  });

  it('and does something else is switched off, once, with what differs', () => {
    const on = given([resumed()]);
    const voided = events(on, changed);
    expect(voided).toEqual([
      {
        type: 'ScheduleVoided',
        job,
        approved: true,
        diff: ['program: ./clean-up when approved, ./other now'],
      },
    ]);
    const off = given(voided, t0 + 5, on);
    expect(off.paused[job]).toMatchObject({ by: null, at: t0 + 5 });
    expect(off.paused['reclaim-gc']).toBeNull();
    expect(events(off, changed)).toEqual([]);
    // What was there before does not switch it on by itself.
    expect(events(off)).toEqual([]);
    expect(standingOf(off, job, asApproved)).toBe('off');
  });

  it('of before approvals goes on, is named once, and is switched off when it changes', () => {
    const on = given([resumedAlone()]);
    const noticed = events(on);
    expect(noticed).toEqual([{ type: 'SchedulesUnapproved', jobs: [job], parts: now(asApproved) }]);
    const known = given(noticed, t0, on);
    expect(known.paused[job]).toBeNull();
    expect(events(known)).toEqual([]);
    expect(events(known, changed)).toMatchObject([
      { type: 'ScheduleVoided', approved: false, diff: [expect.stringMatching(/when found/)] },
    ]);
  });

  it('and is off is nobody’s', () => {
    expect(events(initialJobs, changed)).toEqual([]);
  });
});

describe('an approval of schedules', () => {
  const asked = (jobs: readonly JobName[], parts: Record<string, string> = asApproved) => ({
    jobs,
    by: alice,
    reason: '',
    via: 'command' as const,
    approval,
    parts: partsOf(jobs, parts),
  });

  it('takes the place of an older one, and of none', () => {
    const changed = { ...asApproved, program: './other' };
    expect(resumeJobs(given([resumed()]), asked([job], changed))).toMatchObject({
      events: [{ jobs: [job], parts: { [job]: changed } }],
    });
    expect(resumeJobs(given([resumedAlone()]), asked([job]))).toMatchObject({
      events: [{ jobs: [job], approval }],
    });
  });

  it('is over with a pause', () => {
    expect(given([resumed(), paused()]).covers[job]).toBeNull();
  });

  it('is read back from the journal, as events from before it are', () => {
    for (const event of [resumed(), resumedAlone()]) {
      const { type, ...data } = event;
      expect(decodeJobEvent(type, { v: 1, ...data })).toEqual(event);
    }
  });
});
