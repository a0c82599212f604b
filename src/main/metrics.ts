import type pg from 'pg';
import type { Registry } from 'prom-client';
import { publisherCursors } from '../bot/publish/reader.js';
import { whyUnwritable } from '../clients/disk.js';
import type { Slack } from '../clients/slack.js';
import type { Config } from '../config.js';
import type { JobsConfig } from '../config-jobs.js';
import { createRegistry } from '../metrics/exposition.js';
import { createJobMetrics } from '../metrics/jobs.js';
import { createEventLabels } from '../metrics/labels.js';
import { createReadiness } from '../metrics/readiness.js';
import { startMetricsServer } from '../metrics/server.js';
import { countPosts } from '../metrics/slack.js';
import { createStateMetrics, type JobsReader } from '../metrics/state.js';
import { createTargetMetrics } from '../metrics/target.js';
import type { JobName } from '../runbook/jobs/names.js';
import type { JobObserver } from '../scheduler/observe.js';
import { createTicks } from '../scheduler/ticks.js';
import { clockWarning, type DatabaseClock } from '../store/clock.js';
import { readStoreFigures } from '../store/figures.js';
import { createJobRuns } from '../store/job-runs.js';
import { createJobsJournal } from '../store/jobs.js';
import type { Journal } from '../store/journal.js';
import { readRunMoments } from '../store/run-moments.js';

export interface Metrics {
  /** What the jobs of this replica tell. */
  readonly observe: JobObserver;
  /** The same client, with what it posts counted. */
  countPosts(slack: Slack): Slack;
  readonly registry: Registry;
  /** The port that is listened on. */
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Everything that `/metrics` shows, in a registry of its own, and its server.
 * @throws ConfigError when the port cannot be opened
 */
export async function startMetrics(deps: {
  readonly config: Pick<Config, 'metrics' | 'jobs' | 'targets' | 'state'>;
  readonly pool: pg.Pool;
  readonly journal: Journal;
  /** Whether Slack can deliver now. */
  readonly connected: () => boolean;
  /** The state database's clock. */
  readonly clock: Pick<DatabaseClock, 'aheadMs'>;
  /** What of the journal differs from heads noted elsewhere, in words; null when nothing does. */
  readonly journalDiffers: () => string | null;
  readonly redact: (text: string) => string;
  readonly log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
  /** ms since the epoch */
  readonly now: () => number;
}): Promise<Metrics> {
  const { config, pool, journal, clock, redact, log, now } = deps;
  const registry = createRegistry();
  const labels = createEventLabels(redact);
  const target = config.jobs === null ? undefined : config.targets[config.jobs.target];
  const state = createStateMetrics({
    registry,
    figures: () => readStoreFigures(pool, Object.values(publisherCursors)),
    runs: {
      head: async () => (await journal.head()).position,
      moments: (...stretch) => readRunMoments(pool, ...stretch),
    },
    jobs: config.jobs === null ? null : jobsReader(config.jobs, deps),
    log,
  });
  const refreshers = [
    state,
    ...(target === undefined ? [] : createTargetMetrics({ registry, target, labels, redact, log })),
  ];
  const readiness = createReadiness(
    {
      'state database': async () => {
        await pool.query('SELECT 1');
        return null;
      },
      'state directory': () => whyUnwritable(config.state.directory),
      clock: () => {
        const warning = clockWarning(clock.aheadMs());
        return warning === null ? null : { warning };
      },
      Slack: () => (deps.connected() ? null : 'not connected'),
    },
    redact,
    // Shown, and no reason to send traffic elsewhere: another replica has the same journal.
    { journal: deps.journalDiffers },
  );
  const observe = createJobMetrics(registry, labels, redact);
  const counted = countPosts(registry);
  await state.begin();
  const server = await startMetricsServer({ ...config.metrics, registry, refreshers, readiness, log });
  return { observe, countPosts: counted, registry, port: server.port, close: server.close };

  function jobsReader(jobs: JobsConfig, { pool, journal }: typeof deps): JobsReader {
    const stream = createJobsJournal({ journal, target: jobs.target, now });
    const runs = createJobRuns(pool, jobs.target);
    return {
      state: async () => (await stream.load()).state,
      health: runs.health,
      interval: intervals(jobs, now()),
    };
  }
}

/** Moments of a schedule that are looked at: enough for a weekend without any. */
const moments = 400;

/** The longest time between two moments that follow each other, seconds. */
function intervals(jobs: JobsConfig, from: number): Record<JobName, number> {
  const longest = (job: JobName): number => {
    const ticks = createTicks(jobs[job].schedule, jobs[job].timezone);
    let most = 0;
    let last = ticks.next(from);
    for (let seen = 1; seen < moments && last !== null; seen += 1) {
      const after = ticks.next(last);
      if (after !== null) most = Math.max(most, after - last);
      last = after;
    }
    return most / 1_000;
  };
  return {
    'outbox-processor': longest('outbox-processor'),
    'dl-reconcile': longest('dl-reconcile'),
    'matview-refresh': longest('matview-refresh'),
    'retention-cleanup': longest('retention-cleanup'),
    'reclaim-gc': longest('reclaim-gc'),
  };
}
