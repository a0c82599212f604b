import { Counter, type Registry } from 'prom-client';
import type { JobName } from '../runbook/jobs/names.js';
import { jobNames } from '../runbook/jobs/names.js';
import type { JobsState } from '../runbook/jobs/state.js';
import type { StoreFigures } from '../store/figures.js';
import { createReading, one } from './gauges.js';
import { createRefresher, type Refresher } from './refresh.js';
import { createRunMetrics, type RunReader } from './runs.js';

/** What the table of runs says of a job. Times in ms since the epoch. */
export interface JobFacts {
  readonly failures: number;
  readonly last: { readonly finishedAt: number | null } | null;
  readonly passedAt: number | null;
}

/** What is known of the jobs of the target. */
export interface JobsReader {
  state(): Promise<JobsState>;
  health(): Promise<Readonly<Record<JobName, JobFacts>>>;
  /** Longest time between two moments of a job's schedule, seconds. */
  readonly interval: Readonly<Record<JobName, number>>;
}

export interface StateMetricsDeps {
  readonly registry: Registry;
  readonly figures: () => Promise<StoreFigures>;
  readonly runs: RunReader;
  /** null: the configuration has no jobs. */
  readonly jobs: JobsReader | null;
  readonly log: { warn(fields: object, message: string): void };
  /** How long a reading stays good, ms. */
  readonly keepMs?: number;
}

/** How long a scrape may wait for the state database, ms. */
const deadlineMs = 4_000;

/** What the bot's own database says; every replica says the same. */
export function createStateMetrics(deps: StateMetricsDeps): Refresher & { begin(): Promise<void> } {
  const { registry, jobs, log, keepMs = 2_000 } = deps;
  const gauge = <L extends string = never>(name: string, help: string, ...labelNames: L[]) =>
    createReading(registry, name, help, labelNames);
  const up = gauge('m10bot_state_up', 'Whether the state database answered.');
  const errors = new Counter({
    name: 'm10bot_state_errors_total',
    help: 'Reads of the state database for these figures that failed.',
    registers: [registry],
  });
  const lag = gauge('m10bot_publish_lag_seconds', 'Age of the oldest event that Slack has not been told.');
  const held = gauge(
    'm10bot_messages_held',
    'Messages and files that a channel does not take now, by what Slack says.',
    'channel',
    'code',
  );
  const refused = gauge(
    'm10bot_messages_refused',
    'Messages and files of the last 7 days that Slack took in no form.',
  );
  const pending = gauge('m10bot_inbox_pending', 'Deliveries of Slack that wait to be handled.');
  const oldest = gauge(
    'm10bot_inbox_oldest_seconds',
    'How long the oldest of them has waited; 0 without one.',
  );
  const dead = gauge('m10bot_inbox_dead', 'Deliveries of Slack that could not be handled.');
  const succeeded = gauge('m10bot_job_last_success_timestamp_seconds', 'When a job passed last.', 'job');
  const ran = gauge('m10bot_job_last_run_timestamp_seconds', 'When a run of a job ended last.', 'job');
  const resumed = gauge('m10bot_job_resumed_timestamp_seconds', 'Since when a schedule is on.', 'job');
  const interval = gauge(
    'm10bot_job_interval_seconds',
    'Longest time between two moments of a schedule.',
    'job',
  );
  const failures = gauge('m10bot_job_failures', 'Failed runs of a job since it passed last.', 'job');
  const alarms = gauge('m10bot_job_alarm', '1 for each alarm that the channel was told of.', 'job', 'alarm');
  const runs = createRunMetrics(registry, deps.runs);
  const all = [
    lag,
    held,
    refused,
    pending,
    oldest,
    dead,
    succeeded,
    ran,
    resumed,
    interval,
    failures,
    alarms,
    runs,
  ];

  async function readJobs(): Promise<() => void> {
    if (jobs === null) return () => {};
    const [state, health] = await Promise.all([jobs.state(), jobs.health()]);
    /** A sample for each job that has a value. */
    const each = (value: (job: JobName) => number | null | undefined) =>
      jobNames.flatMap((job) => {
        const found = value(job);
        return found === null || found === undefined ? [] : [{ labels: { job }, value: found }];
      });
    const seconds = (ms: number | null | undefined) => (ms === null || ms === undefined ? null : ms / 1_000);
    return () => {
      succeeded.set(each((job) => seconds(health[job].passedAt)));
      ran.set(each((job) => seconds(health[job].last?.finishedAt)));
      resumed.set(each((job) => (state.paused[job] === null ? seconds(state.resumedAt[job]) : null)));
      interval.set(each((job) => jobs.interval[job]));
      failures.set(each((job) => health[job].failures));
      alarms.set(
        jobNames.flatMap((job) =>
          Object.keys(state.alarms[job]).map((alarm) => ({ labels: { job, alarm }, value: 1 })),
        ),
      );
    };
  }

  let told = false;
  const refresher = createRefresher(
    async () => {
      const [figures, showRuns, showJobs] = await Promise.all([deps.figures(), runs.read(), readJobs()]);
      return () => {
        lag.set(one(figures.publishLag));
        held.set(
          figures.waiting.map(({ channel, code, messages }) => ({
            labels: { channel, code },
            value: messages,
          })),
        );
        refused.set(one(figures.refused.length));
        pending.set(one(figures.inboxPending));
        oldest.set(one(figures.inboxOldest));
        dead.set(one(figures.inboxDead));
        showRuns();
        showJobs();
        up.set(one(1));
        told = false;
      };
    },
    {
      keepMs,
      deadlineMs,
      onFailure(error) {
        for (const reading of all) reading.absent();
        up.set(one(0));
        errors.inc();
        if (!told) log.warn({ error }, 'figures of the state database could not be read');
        told = true;
      },
    },
  );
  return { ...refresher, begin: runs.begin };
}
