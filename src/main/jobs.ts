import type pg from 'pg';
import type { CommandDeps } from '../checks/command/run.js';
import { createJobCovers } from '../checks/jobs/covers.js';
import { connect } from '../clients/postgres.js';
import type { Config } from '../config.js';
import type { JobsConfig } from '../config-jobs.js';
import type { M10Port } from '../runbook/jobs/m10-port.js';
import type { JobsPort } from '../runbook/jobs/port.js';
import { noJobs } from '../runbook/jobs/port.js';
import { createCommandJob } from '../scheduler/command-job.js';
import { createExecutor } from '../scheduler/execute.js';
import type { Job, JobLog } from '../scheduler/job.js';
import { createDlReconcile } from '../scheduler/jobs/dl-reconcile.js';
import { createMatviewRefresh } from '../scheduler/jobs/matview-refresh.js';
import { createOutboxProcessor, type OutboxProcessorDeps } from '../scheduler/jobs/outbox-processor.js';
import { createReclaimGc } from '../scheduler/jobs/reclaim-gc.js';
import { createRetentionCleanup } from '../scheduler/jobs/retention-cleanup.js';
import { createLeader } from '../scheduler/leader.js';
import type { JobObserver } from '../scheduler/observe.js';
import { createOutboxWake } from '../scheduler/outbox/wake.js';
import { createScheduler } from '../scheduler/scheduler.js';
import { createJobRuns } from '../store/job-runs.js';
import { createJobsJournal, type JobsJournal, recordNotice } from '../store/jobs.js';
import type { Journal } from '../store/journal.js';
import type { Leases } from '../store/leases.js';
import { createM10 } from './m10.js';

/** The periodic jobs as the rest of the bot sees them. */
export interface Jobs {
  readonly port: JobsPort;
  /** The stream of the jobs' target; null when the configuration has none. */
  readonly jobsJournal: JobsJournal | null;
  /** The M10 objects of that target. */
  readonly m10: M10Port | null;
  start(): void;
  /** The journal has grown. */
  wake(): void;
  /** Ends runs before their next batch, and waits for that as long as `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** The session that hears of new outbox events; a trigger is made over it where the role may, and never waited for. */
const wakeSession = {
  applicationName: 'm10bot outbox wake',
  statementTimeoutMs: 10_000,
  lockTimeoutMs: 2_000,
  connectTimeoutMs: 5_000,
};

const none: Jobs = {
  port: noJobs,
  jobsJournal: null,
  m10: null,
  start: () => undefined,
  wake: () => undefined,
  stop: async () => undefined,
};

/** Builds the scheduler and its jobs from the configuration; without a section `jobs` there are none. */
export function createJobs(deps: {
  readonly config: Pick<Config, 'jobs' | 'targets' | 'slack'>;
  readonly pool: pg.Pool;
  readonly journal: Journal;
  readonly leases: Leases;
  readonly commands: CommandDeps;
  readonly owner: string;
  readonly redact: (text: string) => string;
  readonly observer: JobObserver;
  readonly log: JobLog;
  readonly now: () => number;
}): Jobs {
  const { pool, leases, owner, redact, observer, log, now } = deps;
  const config = deps.config.jobs;
  const target = config === null ? undefined : deps.config.targets[config.target];
  if (config === null || target === undefined) return none;

  const builtIn = builtInJobs(config, deps.config.slack.channel, {
    notice: async ({ eventId, channel, text, source }) => {
      await recordNotice(deps.journal, target.name, eventId, {
        channel,
        text: redact(text),
        source: redact(source),
      });
    },
    processes: deps.commands.processes,
    redact,
    observer,
  });
  const jobs = builtIn.map((job) => {
    const { command, timeout, 'dry-run': dryRun } = config[job.name];
    if (command === undefined) return job;
    return createCommandJob(deps.commands, job, command, { timeoutMs: timeout, dryRun: dryRun ?? null });
  });

  const jobsJournal = createJobsJournal({ journal: deps.journal, target: target.name, now });
  const runs = createJobRuns(pool, target.name);
  const holder = `m10bot:${owner}`;
  const leader = createLeader({
    holder,
    connect: (applicationName) => executor.connect(applicationName),
    log,
  });
  const executor = createExecutor({ target, runs, leader, owner, redact, observer, log, now });
  const scheduler = createScheduler({
    config,
    jobs,
    journal: jobsJournal,
    runs,
    leases,
    executor,
    covers: createJobCovers({ jobs: config, target, redact }),
    owner,
    log,
    now,
  });
  const { listen, command } = config['outbox-processor'];
  const outboxWake =
    listen && command === undefined
      ? createOutboxWake({
          connect: (hooks) => connect({ ...wakeSession, ...hooks, url: target.databaseUrl }),
          onWake: () => scheduler.nudge('outbox-processor'),
          log,
        })
      : null;
  return {
    port: scheduler.port,
    jobsJournal,
    m10: createM10({ target, redact }),
    start() {
      scheduler.start();
      outboxWake?.start();
    },
    wake: scheduler.wake,
    async stop(graceMs) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, graceMs);
      });
      await Promise.race([Promise.all([outboxWake?.stop(), scheduler.stop()]), late]);
      clearTimeout(timer);
    },
  };
}

/** The five jobs as the bot brings them, in the order in which people read them. */
export function builtInJobs(
  config: JobsConfig,
  channel: string,
  deps: Pick<OutboxProcessorDeps, 'notice' | 'processes'> & {
    readonly redact: (text: string) => string;
    readonly observer: JobObserver;
  },
): readonly Job[] {
  const { observer } = deps;
  return [
    createOutboxProcessor({ ...deps, config: config['outbox-processor'], channel }),
    createDlReconcile({ observer }),
    createMatviewRefresh(config['matview-refresh']),
    createRetentionCleanup(config['retention-cleanup'], { observer }),
    createReclaimGc(),
  ];
}
