import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '../clients/postgres.js';
import type { JobsConfig } from '../config-jobs.js';
import { pauseJobs, resumeJobs } from '../runbook/jobs/decide.js';
import type { JobName } from '../runbook/jobs/names.js';
import type {
  JobCovers,
  JobOnce,
  JobOverview,
  JobReport,
  JobsChange,
  JobsPort,
} from '../runbook/jobs/port.js';
import type { JobRuns } from '../store/job-runs.js';
import type { JobsJournal } from '../store/jobs.js';
import type { ActiveRuns } from './active.js';
import type { Job } from './job.js';
import { readStanding } from './standing.js';
import type { Ticks } from './ticks.js';
import { inWords } from './words.js';

/** A job was told to stop and goes on; nothing may be changed under it. */
export class JobsStillRunning extends Error {
  override readonly name = 'JobsStillRunning';
}

/** How a lock's holder reads that is a replica of this bot. */
const ours = /^m10bot:/;

/** What steps and commands may do with the jobs, over the journal that all replicas read. */
export function createJobsPort(deps: {
  readonly config: JobsConfig;
  readonly jobs: ReadonlyMap<JobName, Job>;
  readonly ticks: ReadonlyMap<JobName, Ticks>;
  readonly journal: JobsJournal;
  readonly runs: JobRuns;
  readonly active: ActiveRuns;
  readonly connect: (applicationName: string) => Promise<Connection>;
  readonly covers: (job: JobName) => Promise<JobCovers>;
  readonly runOnce: (request: JobOnce) => Promise<JobReport>;
  /** Lets what was journaled take effect here at once. */
  readonly wake: () => void;
  readonly now: () => number;
  /** How long a pause waits for runs that are under way, ms. */
  readonly pauseWaitMs?: number;
}): JobsPort {
  const { config, jobs, journal, runs, active, now } = deps;
  const pauseWaitMs = deps.pauseWaitMs ?? 60_000;

  async function pause({ jobs: names, by, reason, run }: JobsChange): Promise<void> {
    const asked = { jobs: names, by, reason, run, operator: true, via: 'command' } as const;
    // Refused when all are off already; a run by hand may be under way all the same.
    await journal.execute((state) => pauseJobs(state, asked));
    for (const job of names) active.abort(job, `paused by <@${by}>`);
    deps.wake();
    const until = performance.now() + pauseWaitMs;
    for (;;) {
      const still = await underWay(names);
      if (still.length === 0) return;
      if (performance.now() > until) {
        throw new JobsStillRunning(
          `The schedules are off, but ${still.join(' and ')} did not end within ${Math.round(pauseWaitMs / 1_000)} s. Wait for the end (\`/m10 jobs\` shows it), then try again.`,
        );
      }
      await sleep(200);
    }
  }

  /** Runs of these jobs that may still change something, in any replica. */
  async function underWay(names: readonly JobName[]): Promise<string[]> {
    const last = await runs.last();
    const begun = names.filter((name) => {
      const newest = last.get(name);
      return active.isRunning(name) || newest?.outcome === 'running';
    });
    if (begun.length === 0) return [];
    const { locks } = await readStanding(deps.connect, []);
    return begun.flatMap((name) => {
      if (active.isRunning(name)) return [name];
      const job = jobs.get(name);
      const lock = locks?.find((one) => one.name === job?.lock && !one.stale);
      if (lock !== undefined && (job?.locksItself === true || ours.test(lock.holder))) {
        return [`${name} (${lock.holder})`];
      }
      // A program takes its lock a while after its start, and a replica that died can have none.
      const newest = last.get(name);
      const young = newest !== undefined && now() - newest.startedAt < config[name].timeout;
      return job?.locksItself === true && young ? [`${name} (on ${newest.owner})`] : [];
    });
  }

  return {
    target: journal.target,
    retire: config.retire,
    pause,
    about: (job) => ({ program: config[job].command !== undefined, timeoutMs: config[job].timeout }),
    covers: deps.covers,
    async resume(change) {
      const asked = { ...change, via: 'command' } as const;
      const decided = await journal.execute((state) => resumeJobs(state, asked));
      if (decided.kind === 'refused' && decided.code !== 'not_paused') throw new Error(decided.why);
      deps.wake();
    },
    runOnce: deps.runOnce,
    log: (job, limit) => runs.log(job, limit),
    async overview() {
      const [{ state }, last, health, standing] = await Promise.all([
        journal.load(),
        runs.last(),
        runs.health(),
        readStanding(deps.connect, [...jobs.values()]),
      ]);
      return [...jobs.values()].map((job, index): JobOverview => {
        const { schedule, timezone, command } = config[job.name];
        const paused = state.paused[job.name];
        const lock = standing.locks?.find((one) => one.name === job.lock && !one.stale);
        return {
          job: job.name,
          schedule,
          timezone,
          words: inWords(schedule, timezone),
          command: command === undefined ? null : command.argv.join(' '),
          paused,
          cover: state.covers[job.name],
          waitsFor: standing.waits?.[index] ?? null,
          nextRun: paused === null ? (deps.ticks.get(job.name)?.next(now()) ?? null) : null,
          last: last.get(job.name) ?? null,
          leader:
            lock === undefined
              ? null
              : { holder: lock.holder, expiresAt: lock.expiresAt, ours: ours.test(lock.holder) },
          failures: health[job.name].failures,
        };
      });
    },
  };
}
