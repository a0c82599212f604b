import { describe, expect, it } from 'vitest';
import {
  finishOperation,
  finishRun,
  type JobsSwitch,
  MOST_REASON,
  pauseJobs,
  requestRun,
  resumeJobs,
  startOperation,
} from '../../../src/runbook/jobs/decide.js';
import { type JobName, jobNames } from '../../../src/runbook/jobs/names.js';
import { initialJobs } from '../../../src/runbook/jobs/state.js';
import { alice, approval, asApproved, bob, given, partsOf, paused, requested, resumed, t0 } from './spec.js';

const operator = { by: alice, operator: true, via: 'command' as const };
const anyone = { by: bob, operator: false, via: 'command' as const };
const over = (asker: typeof operator | typeof anyone, change: Partial<JobsSwitch> = {}): JobsSwitch => ({
  ...asker,
  jobs: ['reclaim-gc'],
  reason: '',
  run: null,
  ...change,
});

const approved = (jobs: readonly JobName[], parts = asApproved) => ({
  jobs,
  by: alice,
  reason: '',
  via: 'command' as const,
  approval,
  parts: partsOf(jobs, parts),
});

describe('switching schedules', () => {
  it('on is under an approval of what they do', () => {
    expect(resumeJobs(initialJobs, approved(['reclaim-gc']))).toEqual({
      kind: 'accepted',
      events: [{ ...resumed(['reclaim-gc']) }],
    });
  });

  it('off is for everyone', () => {
    expect(pauseJobs(given([resumed()]), over(anyone, { reason: 'too loud' }))).toEqual({
      kind: 'accepted',
      events: [paused(['reclaim-gc'])],
    });
  });

  it('takes of all jobs those that it changes', () => {
    const state = given([resumed(['reclaim-gc', 'dl-reconcile'])]);
    const all = { jobs: jobNames };
    expect(pauseJobs(state, over(anyone, all))).toMatchObject({
      events: [{ jobs: ['dl-reconcile', 'reclaim-gc'] }],
    });
    expect(resumeJobs(state, approved(jobNames))).toMatchObject({
      events: [{ jobs: ['outbox-processor', 'matview-refresh', 'retention-cleanup'] }],
    });
  });

  it('says so when there is nothing to switch', () => {
    const never = pauseJobs(initialJobs, over(anyone));
    expect(never).toMatchObject({ code: 'already_paused', why: '`reclaim-gc` is not switched on.' });
    const twice = pauseJobs(
      given([resumed(), paused()]),
      over(anyone, { jobs: ['reclaim-gc', 'dl-reconcile'] }),
    );
    expect(twice).toMatchObject({
      code: 'already_paused',
      why: '`reclaim-gc` and `dl-reconcile` are paused already.',
    });
    expect(resumeJobs(given([resumed()]), approved(['reclaim-gc']))).toMatchObject({ code: 'not_paused' });
  });

  it('never refuses to pause over a long reason', () => {
    const reason = 'x'.repeat(MOST_REASON);
    expect(pauseJobs(given([resumed()]), over(anyone, { reason: `${reason}x` }))).toMatchObject({
      events: [{ reason: `${reason.slice(1)}…` }],
    });
  });

  it('is remembered with who, why, when and in which run', () => {
    const decision = pauseJobs(given([resumed()]), over(operator, { reason: 'rollback', run: 7 }));
    if (decision.kind === 'refused') return expect.unreachable();
    const state = given(decision.events, t0 + 5, given([resumed()]));
    expect(state.paused['reclaim-gc']).toEqual({ by: alice, reason: 'rollback', at: t0 + 5, run: 7 });
    expect(state.paused['dl-reconcile']).toBeNull();
  });
});

describe('a run by hand', () => {
  const ask = (state = initialJobs, asker: typeof operator | typeof anyone = operator) =>
    requestRun(state, { ...asker, job: 'reclaim-gc', dryRun: true });

  it('is for operators, also of a job that is switched off', () => {
    expect(ask(initialJobs, anyone)).toMatchObject({ code: 'not_an_operator' });
    expect(ask()).toEqual({ kind: 'accepted', events: [requested(1)] });
  });

  it('is one at a time for each job', () => {
    expect(ask(given([requested(1)]))).toMatchObject({ code: 'already_running' });
    expect(ask(given([requested(1, 'dl-reconcile')]))).toMatchObject({ events: [{ request: 2 }] });
  });

  it('ends once', () => {
    const ended = {
      request: 1,
      outcome: 'passed' as const,
      summary: 'Done.',
      counts: { removed: 3 },
      advice: '',
      output: 'y'.repeat(100_000),
      durationMs: 5,
    };
    const decision = finishRun(given([requested(1)]), ended);
    expect(decision).toMatchObject({
      events: [
        { type: 'JobRunFinished', job: 'reclaim-gc', by: alice, dryRun: true, counts: { removed: 3 } },
      ],
    });
    if (decision.kind === 'refused') return expect.unreachable();
    expect(JSON.stringify(decision.events).length).toBeLessThan(25_000);
    const after = given([requested(1), ...decision.events]);
    expect(finishRun(after, ended)).toMatchObject({ code: 'not_running' });
    expect(ask(after)).toMatchObject({ events: [{ request: 2 }] });
  });
});

describe('an operation', () => {
  const end = {
    what: 'clear locks',
    by: alice,
    result: 'passed' as const,
    summary: '',
    output: '',
    durationMs: 1,
  };

  it('is started by an operator, and ends once', () => {
    expect(startOperation(initialJobs, { ...anyone, what: 'clear locks' })).toMatchObject({
      code: 'not_an_operator',
    });
    const started = startOperation(initialJobs, { ...operator, what: 'clear locks' });
    if (started.kind === 'refused') return expect.unreachable();
    expect(started.events).toMatchObject([{ type: 'OperationStarted', operation: 1, by: alice }]);
    const running = given(started.events);
    const finished = finishOperation(running, { ...end, operation: 1 });
    if (finished.kind === 'refused') return expect.unreachable();
    expect(finished.events).toEqual([{ type: 'OperationFinished', ...end, operation: 1 }]);
    const after = given(finished.events, t0, running);
    expect(finishOperation(after, { ...end, operation: 1 })).toMatchObject({ code: 'not_running' });
    expect(startOperation(after, { ...operator, what: 'again' })).toMatchObject({
      events: [{ operation: 2 }],
    });
  });
});
