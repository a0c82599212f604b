import type { JobAlarm, JobEvent } from './events.js';
import { type JobName, jobNames } from './names.js';

export interface Pause {
  /** null: nobody paused it, it has never been switched on. */
  readonly by: string | null;
  readonly reason: string;
  /** ms since the epoch; null with `by`. */
  readonly at: number | null;
  readonly run: number | null;
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
      const pause: Pause = { by: event.by, reason: event.reason, at, run: event.run };
      const paused = { ...state.paused };
      const alarms = { ...state.alarms };
      for (const job of event.jobs) {
        paused[job] = pause;
        // A job that is switched off is not late; switched on again, it gets its time anew.
        const { overdue: _, ...left } = alarms[job];
        alarms[job] = left;
      }
      return { ...state, paused, alarms };
    }
    case 'JobsResumed': {
      const paused = { ...state.paused };
      const resumedAt = { ...state.resumedAt };
      for (const job of event.jobs) {
        paused[job] = null;
        resumedAt[job] = at;
      }
      return { ...state, paused, resumedAt };
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

function withAlarms(state: JobsState, job: JobName, alarms: Partial<Record<JobAlarm, number>>): JobsState {
  return { ...state, alarms: { ...state.alarms, [job]: alarms } };
}

/** The jobs a person means: one, or all of them. */
export function jobsNamed(which: JobName | 'all'): readonly JobName[] {
  return which === 'all' ? jobNames : [which];
}
