import type { JobAlarm, JobEvent, JobParts, ScheduleApproval } from './events.js';
import { type JobName, jobNames } from './names.js';

export interface Pause {
  /** null: nobody paused it. It has never been switched on, or it was switched off since what it does has changed. */
  readonly by: string | null;
  readonly reason: string;
  /** ms since the epoch; null when it has never been switched on. */
  readonly at: number | null;
  readonly run: number | null;
}

/** What a schedule that is on may do. */
export interface ScheduleCover {
  /** null: it was on before schedules were approved, and this is what it did when that was noticed. */
  readonly approval: ScheduleApproval | null;
  readonly parts: JobParts;
}

export interface JobRequest {
  readonly request: number;
  readonly job: JobName;
  readonly by: string;
  readonly dryRun: boolean;
  readonly at: number;
}

export interface OpenOperation {
  readonly operation: number;
  /** The delivery that asked for it. */
  readonly delivery: string | null;
}

/** The jobs of one target, as their stream tells. */
export interface JobsState {
  /** null: its schedule is on. Every job begins switched off: the runbook, or a person, switches it on. */
  readonly paused: Readonly<Record<JobName, Pause | null>>;
  /** When a job was switched on last, ms; null when it never was. */
  readonly resumedAt: Readonly<Record<JobName, number | null>>;
  /** null: the schedule is off, or it is on without an approval and nobody has noticed that yet. */
  readonly covers: Readonly<Record<JobName, ScheduleCover | null>>;
  /** Runs by hand that have not ended yet, oldest first. */
  readonly requests: readonly JobRequest[];
  readonly lastRequest: number;
  readonly lastOperation: number;
  /** Operations that began and have not ended, such as those of a replica that died. */
  readonly openOperations: readonly OpenOperation[];
  /** What people were told last: the count of an alarm that stands; absent when none does. */
  readonly alarms: Readonly<Record<JobName, Partial<Record<JobAlarm, number>>>>;
}

const forEach = <T>(value: () => T): Record<JobName, T> => ({
  'outbox-processor': value(),
  'dl-reconcile': value(),
  'matview-refresh': value(),
  'retention-cleanup': value(),
  'reclaim-gc': value(),
});

export const initialJobs: JobsState = {
  paused: forEach((): Pause => ({ by: null, reason: 'not switched on yet', at: null, run: null })),
  resumedAt: forEach((): number | null => null),
  covers: forEach((): ScheduleCover | null => null),
  requests: [],
  lastRequest: 0,
  lastOperation: 0,
  openOperations: [],
  alarms: forEach(() => ({})),
};

/** @param at ms since the epoch, by the journal's clock */
export function evolveJobs(state: JobsState, event: JobEvent, at: number): JobsState {
  switch (event.type) {
    case 'JobsPaused': {
      const { by, reason, run } = event;
      return switchedOff(state, event.jobs, { by, reason, at, run });
    }
    case 'JobsResumed': {
      const paused = { ...state.paused };
      const resumedAt = { ...state.resumedAt };
      const covers = { ...state.covers };
      for (const job of event.jobs) {
        paused[job] = null;
        resumedAt[job] = at;
        const parts = event.parts?.[job];
        covers[job] =
          event.approval === undefined || parts === undefined ? null : { approval: event.approval, parts };
      }
      return { ...state, paused, resumedAt, covers };
    }
    case 'SchedulesUnapproved': {
      const covers = { ...state.covers };
      for (const job of event.jobs) covers[job] = { approval: null, parts: event.parts[job] ?? {} };
      return { ...state, covers };
    }
    case 'ScheduleVoided': {
      const since = event.approved ? 'since it was approved' : 'while nobody had approved it';
      const reason = `what it does has changed ${since}: ${event.diff.join('; ')}`;
      return switchedOff(state, [event.job], { by: null, reason, at, run: null });
    }
    case 'JobRunRequested': {
      const { request, job, by, dryRun } = event;
      return {
        ...state,
        lastRequest: request,
        requests: [...state.requests, { request, job, by, dryRun, at }],
      };
    }
    case 'JobRunFinished':
      return { ...state, requests: state.requests.filter((r) => r.request !== event.request) };
    case 'JobAlarmRaised':
      return withAlarms(state, event.job, { ...state.alarms[event.job], [event.alarm]: event.failures });
    case 'JobAlarmCleared': {
      const { [event.alarm]: _, ...left } = state.alarms[event.job];
      return withAlarms(state, event.job, left);
    }
    case 'OperationStarted':
      return {
        ...state,
        lastOperation: event.operation,
        openOperations: [
          ...state.openOperations,
          { operation: event.operation, delivery: event.delivery ?? null },
        ],
      };
    case 'OperationFinished':
      return {
        ...state,
        openOperations: state.openOperations.filter((o) => o.operation !== event.operation),
      };
  }
}

function switchedOff(state: JobsState, jobs: readonly JobName[], pause: Pause): JobsState {
  const paused = { ...state.paused };
  const alarms = { ...state.alarms };
  const covers = { ...state.covers };
  for (const job of jobs) {
    paused[job] = pause;
    // Whoever switches it on again asks for it anew.
    covers[job] = null;
    // A job that is switched off is not late; switched on again, it gets its time anew.
    const { overdue: _, ...left } = alarms[job];
    alarms[job] = left;
  }
  return { ...state, paused, alarms, covers };
}

function withAlarms(state: JobsState, job: JobName, alarms: Partial<Record<JobAlarm, number>>): JobsState {
  return { ...state, alarms: { ...state.alarms, [job]: alarms } };
}

/** The jobs a person means: one, or all of them. */
export function jobsNamed(which: JobName | 'all'): readonly JobName[] {
  return which === 'all' ? jobNames : [which];
}
