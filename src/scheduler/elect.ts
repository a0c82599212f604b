import type { JobsConfig } from '../config-jobs.js';
import type { JobName } from '../runbook/jobs/names.js';
import type { JobsState } from '../runbook/jobs/state.js';
import type { JobRuns } from '../store/job-runs.js';
import type { ActiveRun, ActiveRuns } from './active.js';
import { dueTick } from './due.js';
import type { Executor } from './execute.js';
import type { Job, JobLog } from './job.js';
import type { Permits } from './permits.js';
import type { Run } from './schedules.js';
import type { Ticks } from './ticks.js';

/** The runs that nobody asks for: those of the schedules. */
export interface Elections {
  /** Claims what is due for a job now and takes its lock; null when nothing is, or somebody else has it. */
  elect(job: JobName): Promise<Run | null>;
  /** Claims what is due for every job whose timer did not bring it in time. */
  lookAll(): void;
  /** Looks at a job's schedule, or at all, at the next look, whatever is known of their next moments. */
  lookAnew(job?: JobName): void;
  /** Runs a job between two moments of its schedule; leaves no record when there was nothing to do. */
  between(job: JobName): void;
  /** Makes up for runs by the schedule that broke off with their replica, once the lock of that one is over. */
  takeOver(): Promise<void>;
}

/** A timer is on time within this; after it the moment is taken up by the look at the clocks, ms. */
const onTimeMs = 2_000;

export function createElections(deps: {
  readonly config: JobsConfig;
  readonly jobs: ReadonlyMap<JobName, Job>;
  readonly ticks: ReadonlyMap<JobName, Ticks>;
  readonly permits: Permits;
  readonly runs: JobRuns;
  readonly executor: Executor;
  readonly active: ActiveRuns;
  /** The jobs as they were last read; null before the first time and once the bot ends. */
  readonly state: () => JobsState | null;
  /** Whether objects of the job are known to be missing. */
  readonly isWaiting: (job: JobName) => boolean;
  /** A run by the schedule did not pass, or did not come to be. */
  readonly onTrouble: (job: JobName) => void;
  readonly now: () => number;
  readonly log: JobLog;
}): Elections {
  const { config, jobs, ticks, permits, runs, executor, active, now, log } = deps;
  /** The last moment of each schedule that was dealt with here. */
  const considered = new Map<JobName, number>();
  /** When each schedule is to be looked at again, ms since the epoch. */
  const lookAt = new Map<JobName, number>();
  const overlaps = new Map<JobName, number>();

  async function elect(name: JobName): Promise<Run | null> {
    const state = deps.state();
    const job = jobs.get(name);
    const moments = ticks.get(name);
    if (state === null || job === undefined || moments === undefined) return null;
    const before = considered.get(name) ?? null;
    const standing = {
      paused: state.paused[name] !== null,
      resumedAt: state.resumedAt[name],
      considered: before,
      running: active.isRunning(name),
    };
    const due = dueTick(moments, standing, now());
    lookAt.set(name, (moments.next(now()) ?? Number.MAX_SAFE_INTEGER) + onTimeMs);
    if (due.kind === 'nothing') return null;
    considered.set(name, due.tick);
    if (due.kind === 'overlap') {
      const count = (overlaps.get(name) ?? 0) + 1;
      overlaps.set(name, count);
      log.info(
        { job: name, tick: due.tick, count },
        'a job still runs at its next moment, which is left out',
      );
      return null;
    }
    if (deps.isWaiting(name)) return null;
    const entry = active.enter(name);
    if (entry === null) return null;
    try {
      if (due.trigger === 'made-up' && (await ranSince(name, due.tick))) {
        entry.leave();
        return null;
      }
      return await begin(job, entry, { tick: due.tick, trigger: due.trigger });
    } catch (error) {
      // Nothing was claimed: the moment is still to be dealt with, as one that was missed.
      log.warn({ error, job: name }, 'a run could not be claimed; trying again');
      considered.set(name, before ?? 0);
      lookAt.set(name, now());
      return null;
    }
  }

  /** @throws when nothing was claimed; the entry is left then too */
  async function begin(
    job: Job,
    entry: ActiveRun,
    how: {
      readonly tick: number | null;
      readonly trigger: 'schedule' | 'made-up';
      readonly onlyAfterBroken?: boolean;
      readonly quiet?: boolean;
    },
  ): Promise<Run | null> {
    try {
      const election = await executor.elect({
        ...how,
        job,
        by: null,
        dryRun: false,
        timeoutMs: config[job.name].timeout,
        patienceMs: 0,
        signal: entry.signal,
        // Asked under the lock: whoever pauses looks at the locks afterwards, so that one of both sees the other.
        unwanted: () => permits.bySchedule(job.name),
      });
      if (election.kind === 'elected') {
        return async () => {
          const report = await election.run();
          entry.leave();
          if (report.outcome !== 'passed') deps.onTrouble(job.name);
        };
      }
      entry.leave();
      if (election.kind === 'settled') deps.onTrouble(job.name);
      return null;
    } catch (error) {
      entry.leave();
      throw error;
    }
  }

  /** Whether some run began or ended after a moment that this replica did not see in time. */
  async function ranSince(name: JobName, tick: number): Promise<boolean> {
    const latest = await runs.log(name, 20);
    return latest.some(
      (run) =>
        !run.dryRun &&
        run.outcome !== 'skipped' &&
        run.outcome !== 'lost' &&
        Math.max(run.startedAt, run.finishedAt ?? 0) >= tick,
    );
  }

  return {
    elect,
    lookAll() {
      for (const name of jobs.keys()) {
        if (now() >= (lookAt.get(name) ?? 0)) void elect(name).then((run) => run?.());
      }
    },
    lookAnew(job) {
      if (job === undefined) lookAt.clear();
      else lookAt.delete(job);
    },
    between(name) {
      const job = jobs.get(name);
      const state = deps.state();
      if (job === undefined || state === null || state.paused[name] !== null || deps.isWaiting(name)) return;
      const entry = active.enter(name);
      if (entry === null) return;
      begin(job, entry, { tick: null, trigger: 'schedule', quiet: true }).then(
        (run) => run?.(),
        (error: unknown) => log.warn({ error, job: name }, 'a job could not be run between its moments'),
      );
    },
    async takeOver() {
      const state = deps.state();
      if (state === null) return;
      const last = await runs.last();
      for (const job of jobs.values()) {
        const newest = last.get(job.name);
        if (newest === undefined || newest.outcome !== 'running' || newest.dryRun) continue;
        const scheduled = newest.trigger === 'schedule' || newest.trigger === 'made-up';
        // Its lock lasts at least as long.
        const young = now() - newest.startedAt < job.ttlSeconds * 1_000;
        if (!scheduled || young || job.locksItself === true || state.paused[job.name] !== null) continue;
        const entry = active.enter(job.name);
        if (entry === null) continue;
        const run = await begin(job, entry, { tick: null, trigger: 'made-up', onlyAfterBroken: true });
        void run?.();
      }
    },
  };
}
