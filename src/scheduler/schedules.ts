import cron, { type ScheduledTask } from 'node-cron';
import type { JobName } from '../runbook/jobs/names.js';
import type { JobLog } from './job.js';

/** Starts what a tick asks for; it is called once, and never throws. */
export type Run = () => Promise<void>;

export interface Schedules {
  start(): void;
  /** Computes the next moments anew, as is needed after the clock was set. */
  rearm(): void;
  stop(): void;
}

/**
 * The timers of the jobs, by node-cron. Its run coordinator asks before each execution: there a tick is claimed
 * and the job's lock is taken, so that of all replicas one runs it. The timers go by UTC and by expressions that
 * match every moment of the schedules (and some more); which moment is meant is decided by whoever is asked.
 */
export function createSchedules(deps: {
  readonly drives: ReadonlyMap<JobName, string>;
  /** Claims what is due for a job now; null when nothing is, or somebody else has it. */
  readonly elect: (job: JobName) => Promise<Run | null>;
  /** The timer came too late for a moment, such as after a sleep of the machine. */
  readonly onMissed: () => void;
  readonly log: JobLog;
}): Schedules {
  const { drives, elect, onMissed, log } = deps;
  let tasks: ScheduledTask[] = [];

  function stop(): void {
    for (const task of tasks) void task.destroy();
    tasks = [];
  }

  function schedule(job: JobName, expression: string): ScheduledTask {
    // By the moment that node-cron means, which is the end of the key that it asks with.
    const elected = new Map<string, Run>();
    const task = cron.createTask(
      expression,
      async ({ date }) => {
        const key = `${job}:${date.toISOString()}`;
        const run = elected.get(key);
        elected.delete(key);
        await run?.();
      },
      {
        name: job,
        timezone: 'UTC',
        distributed: true,
        runCoordinator: {
          async shouldRun(key) {
            const run = await elect(job);
            if (run !== null) elected.set(key, run);
            return run !== null;
          },
        },
        // Overlaps are ours to judge: most moments of the timer are none of the schedule.
        noOverlap: false,
        suppressMissedWarning: true,
        unref: true,
        logger: {
          info: () => undefined,
          debug: () => undefined,
          warn: (message) => log.warn({ job }, message),
          error: (message, error) => log.error({ job, error: error ?? message }, 'a timer of a job failed'),
        },
      },
    );
    task.on('execution:missed', onMissed);
    void task.start();
    return task;
  }

  function start(): void {
    stop();
    tasks = [...drives].map(([job, expression]) => schedule(job, expression));
  }

  return { start, rearm: start, stop };
}
