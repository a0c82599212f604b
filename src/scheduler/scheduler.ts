import { setTimeout as sleep } from 'node:timers/promises';
import type { JobsConfig } from '../config-jobs.js';
import { type JobName, jobNames } from '../runbook/jobs/names.js';
import type { JobCovers, JobOnce, JobReport, JobsPort } from '../runbook/jobs/port.js';
import { initialJobs, type JobRequest, type JobsState } from '../runbook/jobs/state.js';
import type { JobRuns } from '../store/job-runs.js';
import type { JobsJournal } from '../store/jobs.js';
import type { Leases } from '../store/leases.js';
import { createActiveRuns } from './active.js';
import { createClockWatch } from './clock-watch.js';
import { createElections } from './elect.js';
import type { Execution, Executor } from './execute.js';
import type { Job, JobLog } from './job.js';
import { createPermits } from './permits.js';
import { createJobsPort } from './port.js';
import { nothing } from './report.js';
import { createRequests } from './requests.js';
import { createSchedules } from './schedules.js';
import { singly } from './singly.js';
import { createTicks } from './ticks.js';
import { createWaits } from './waits.js';
import { createWatch } from './watch.js';

export interface Scheduler {
  start(): void;
  /** Lets no run begin, ends those that are under way before their next batch, and waits for that. */
  stop(): Promise<void>;
  /** The journal has grown: look at the jobs' stream. */
  wake(): void;
  /** There may be something to do for a job between two moments of its schedule, if that is on. */
  nudge(job: JobName): void;
  readonly port: JobsPort;
}

export interface SchedulerPace {
  /** How often the journal is read when nobody wakes the scheduler, ms. */
  readonly pollMs: number;
  /** How often the health of the jobs is looked at, ms. */
  readonly watchMs: number;
  /** How often the clocks are looked at, ms. */
  readonly clockMs: number;
  /** How long a replica that died keeps a run by hand to itself, ms. */
  readonly requestLeaseMs: number;
  /** How long a run by hand waits for a lock that somebody else has, ms. */
  readonly patienceMs: number;
  /** How long a pause waits for runs that are under way, ms. */
  readonly pauseWaitMs: number;
}

const defaultPace: SchedulerPace = {
  pollMs: 5_000,
  watchMs: 10_000,
  clockMs: 1_000,
  requestLeaseMs: 10_000,
  patienceMs: 5_000,
  pauseWaitMs: 60_000,
};

/** Runs the jobs of one target: by their schedules, by hand, and what was missed or broke off. */
export function createScheduler(deps: {
  readonly config: JobsConfig;
  readonly jobs: readonly Job[];
  readonly journal: JobsJournal;
  readonly runs: JobRuns;
  readonly leases: Leases;
  readonly executor: Executor;
  /** What a job does now, by its configuration and its code. */
  readonly covers: (job: JobName) => Promise<JobCovers>;
  /** Unique to this life of this process. */
  readonly owner: string;
  readonly log: JobLog;
  /** ms since the epoch */
  readonly now: () => number;
  /** ms, never set back; `performance.now` when not given */
  readonly monotonic?: () => number;
  readonly pace?: Partial<SchedulerPace>;
}): Scheduler {
  const { config, journal, runs, leases, executor, owner, log, now } = deps;
  const { connect } = executor;
  const pace = { ...defaultPace, ...deps.pace };
  const jobs = new Map(deps.jobs.map((job) => [job.name, job]));
  const ticks = new Map(
    deps.jobs.map(({ name }) => [name, createTicks(config[name].schedule, config[name].timezone)]),
  );
  const active = createActiveRuns();
  const waits = createWaits({ connect, log });
  const clock = createClockWatch(now, deps.monotonic ?? (() => performance.now()));
  const permits = createPermits({
    journal,
    covers: deps.covers,
    isProgram: (job) => config[job].command !== undefined,
  });
  const timers: NodeJS.Timeout[] = [];
  let compared = false;
  let state: JobsState | null = null;
  let stopping = false;

  const elections = createElections({
    config,
    jobs,
    ticks,
    permits,
    runs,
    executor,
    active,
    state: () => (stopping ? null : state),
    isWaiting: waits.has,
    onTrouble(job) {
      waits.doubt(job);
      watching();
    },
    now,
    log,
  });
  const schedules = createSchedules({
    drives: new Map([...ticks].map(([name, { drive }]) => [name, drive])),
    elect: elections.elect,
    onMissed: elections.lookAll,
    log,
  });
  const { alert } = config['outbox-processor'];
  const watch = createWatch({
    journal,
    runs,
    leases,
    owner,
    leaseMs: pace.watchMs * 3,
    ticks,
    timeoutOf: (job) => config[job].timeout,
    outboxLimit: { lagMs: alert.lag, pending: alert.pending },
    connect,
    now,
    log,
  });
  const requests = createRequests({
    journal,
    leases,
    owner,
    log,
    leaseMs: pace.requestLeaseMs,
    run: runRequest,
  });
  const folding = singly(fold, (error) => log.warn({ error }, 'the jobs could not be read; trying again'));
  const watching = singly(look, (error) =>
    log.warn({ error }, 'the health of the jobs could not be looked at; trying again'),
  );

  /** Takes over what the journal says, in this replica as in all others. */
  async function fold(): Promise<void> {
    const { state: fresh } = await journal.load();
    const before = state ?? initialJobs;
    const first = state === null;
    state = fresh;
    if (stopping) return;
    for (const name of jobNames) {
      const pause = fresh.paused[name];
      const isNew = pause !== null && pause.at !== null && pause.at !== before.paused[name]?.at;
      if (isNew && !first) active.abort(name, pause.by === null ? pause.reason : `paused by <@${pause.by}>`);
      if (fresh.resumedAt[name] !== before.resumedAt[name]) {
        elections.lookAnew(name);
        waits.doubt(name);
      }
    }
    requests.see(fresh);
    if (first) watching();
  }

  async function look(): Promise<void> {
    if (stopping || state === null) return;
    const { paused } = state;
    // A configuration changes with a start alone; files are compared at each run.
    if (!compared) compared = await permits.compareAll();
    await waits.read(deps.jobs.filter((job) => paused[job.name] === null));
    if (await watch.round()) await elections.takeOver();
  }

  function lookAtClocks(): void {
    const jump = clock.jumped();
    if (jump !== 0) {
      log.warn(
        { jumpMs: Math.round(jump) },
        'the clock was set, or the machine slept: schedules go on from now',
      );
      schedules.rearm();
      elections.lookAnew();
    }
    elections.lookAll();
  }

  /** A run here and now, whatever the schedule says; waits for one that is under way. */
  async function runNow(
    once: Pick<JobOnce, 'job' | 'by' | 'dryRun' | 'trigger'>,
    signal: AbortSignal,
    patienceMs: number,
    unwanted?: Execution['unwanted'],
  ): Promise<JobReport> {
    let entry = active.enter(once.job);
    while (entry === null && !signal.aborted && !stopping) {
      await Promise.race([active.ended(once.job), sleep(500)]);
      entry = active.enter(once.job);
    }
    if (entry === null) return notBegun;
    try {
      const report = await executor.execute({
        ...once,
        job: found(jobs, once.job),
        tick: null,
        timeoutMs: config[once.job].timeout,
        patienceMs,
        signal: AbortSignal.any([entry.signal, signal]),
        ...(unwanted === undefined ? {} : { unwanted }),
      });
      return report ?? notBegun;
    } finally {
      entry.leave();
      watching();
    }
  }

  async function runRequest(request: JobRequest, lost: AbortSignal, inherited: boolean) {
    const { job, by, dryRun } = request;
    // A replica that died over the run cannot give its lock back.
    const patienceMs = inherited ? found(jobs, job).ttlSeconds * 1_000 + pace.patienceMs : pace.patienceMs;
    const report = await runNow({ job, by, dryRun, trigger: 'hand' }, lost, patienceMs, () =>
      permits.onDemand(job, dryRun),
    );
    return stopping && report.outcome !== 'passed' ? null : report;
  }

  return {
    start() {
      schedules.start();
      timers.push(
        setInterval(folding, pace.pollMs),
        setInterval(lookAtClocks, pace.clockMs),
        setInterval(watching, pace.watchMs),
      );
      folding();
    },
    async stop() {
      stopping = true;
      for (const timer of timers) clearInterval(timer);
      schedules.stop();
      const running = active.all();
      for (const name of running) active.abort(name, 'the bot is being ended');
      await Promise.all(running.map((name) => active.ended(name)));
      await requests.settled();
      await watch.close();
    },
    wake: folding,
    nudge: elections.between,
    port: createJobsPort({
      config,
      jobs,
      ticks,
      journal,
      runs,
      active,
      connect,
      covers: deps.covers,
      wake: folding,
      now,
      pauseWaitMs: pace.pauseWaitMs,
      runOnce: (once) => runNow(once, once.signal, pace.patienceMs),
    }),
  };
}

function found<T>(map: ReadonlyMap<JobName, T>, name: JobName): T {
  const value = map.get(name);
  if (value === undefined) throw new Error(`there is no job ${name}`);
  return value;
}

const notBegun: JobReport = {
  ...nothing,
  outcome: 'skipped',
  summary: 'Not run: it was stopped while it waited for another run of the job.',
  durationMs: 0,
};
