import type { JobName } from '../runbook/jobs/names.js';

export interface ActiveRun {
  /** Aborted to end the run before its next batch. */
  readonly signal: AbortSignal;
  /** Must be called once the run has ended, or never came to be. */
  leave(): void;
}

/** The runs that are under way in this replica: one of each job at a time. */
export interface ActiveRuns {
  /** null: a run of the job is under way. */
  enter(job: JobName): ActiveRun | null;
  isRunning(job: JobName): boolean;
  /** Ends the run of a job before its next batch. @param why a sentence without its full stop */
  abort(job: JobName, why: string): void;
  /** Settles when the run of a job has ended, at once when there is none. */
  ended(job: JobName): Promise<void>;
  all(): JobName[];
}

export function createActiveRuns(): ActiveRuns {
  const runs = new Map<JobName, { readonly controller: AbortController; readonly ended: Promise<void> }>();
  return {
    enter(job) {
      if (runs.has(job)) return null;
      const controller = new AbortController();
      const { promise: ended, resolve } = withResolver();
      runs.set(job, { controller, ended });
      return {
        signal: controller.signal,
        leave() {
          runs.delete(job);
          resolve();
        },
      };
    },
    isRunning: (job) => runs.has(job),
    abort: (job, why) => runs.get(job)?.controller.abort(why),
    ended: (job) => runs.get(job)?.ended ?? Promise.resolve(),
    all: () => [...runs.keys()],
  };
}

function withResolver(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
