import type { JobHealth } from '../../../src/runbook/jobs/alarms.js';
import type { JobEvent } from '../../../src/runbook/jobs/events.js';
import { type JobName, jobNames } from '../../../src/runbook/jobs/names.js';
import type { JobRunRecord } from '../../../src/runbook/jobs/port.js';
import { evolveJobs, initialJobs, type JobsState } from '../../../src/runbook/jobs/state.js';

export const alice = 'UALICE';
export const bob = 'UBOB';
export const t0 = Date.parse('2026-01-10T02:00:00Z');
export const minute = 60_000;

/** The state after events, all of one moment. */
export function given(events: readonly JobEvent[], at = t0, from: JobsState = initialJobs): JobsState {
  return events.reduce((state, event) => evolveJobs(state, event, at), from);
}

export const approval = { run: 7, gate: 2, approvers: [bob] };
export const asApproved = { schedule: '0 * * * * (UTC)', program: './clean-up' };
export const partsOf = (jobs: readonly JobName[], parts: Record<string, string> = asApproved) =>
  Object.fromEntries(jobs.map((job) => [job, parts]));

export const resumed = (jobs: readonly JobName[] = jobNames): JobEvent => ({
  type: 'JobsResumed',
  jobs: [...jobs],
  by: alice,
  reason: '',
  run: approval.run,
  via: 'command',
  approval,
  parts: partsOf(jobs),
});

/** As it was written before schedules were approved. */
export const resumedAlone = (jobs: readonly JobName[] = jobNames): JobEvent => ({
  type: 'JobsResumed',
  jobs: [...jobs],
  by: alice,
  reason: '',
  run: null,
  via: 'command',
});

export const paused = (jobs: readonly JobName[] = jobNames): JobEvent => ({
  type: 'JobsPaused',
  jobs: [...jobs],
  by: bob,
  reason: 'too loud',
  run: null,
  via: 'command',
});

export const requested = (request: number, job: JobName = 'reclaim-gc'): JobEvent => ({
  type: 'JobRunRequested',
  request,
  job,
  by: alice,
  dryRun: true,
  via: 'command',
});

export function record(change: Partial<JobRunRecord> = {}): JobRunRecord {
  return {
    id: 1,
    job: 'reclaim-gc',
    tick: t0,
    trigger: 'schedule',
    by: null,
    dryRun: false,
    owner: 'a',
    startedAt: t0,
    finishedAt: t0 + 1_000,
    durationMs: 1_000,
    outcome: 'passed',
    summary: 'Removed 3 fields.',
    output: '',
    advice: '',
    counts: { removed: 3 },
    ...change,
  };
}

export const healthy: JobHealth = {
  failures: 0,
  last: record(),
  trouble: null,
  ranAt: t0,
  passedAt: t0,
  runningSince: null,
};
