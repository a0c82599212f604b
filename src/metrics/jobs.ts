import { Counter, Histogram, type Registry } from 'prom-client';
import { JobOutcome } from '../runbook/jobs/events.js';
import { jobNames } from '../runbook/jobs/names.js';
import type { JobObserver } from '../scheduler/observe.js';
import { createCap, type EventLabelling, type EventLabels } from './labels.js';

/** From a try that an idle receiver answers to one that waits for its time-out, s. */
const trySeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** From a run that finds nothing to one that lasts as long as the longest TTL, s. */
const heldSeconds = [0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600];

/**
 * What this replica's own jobs did since it started: counters, which Prometheus sums over the replicas. What the
 * jobs of other workers do is not seen here.
 */
export function createJobMetrics(
  registry: Registry,
  labels: EventLabelling,
  redact: (text: string) => string,
): JobObserver {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const lockName = createCap(redact);
  const source = createCap(redact);

  const locks = {
    acquired: counter('m10_lock_acquired_total', 'Locks that this replica acquired.', ['lock_name']),
    failed: counter('m10_lock_failed_total', 'Locks that somebody else held.', ['lock_name']),
    released: counter('m10_lock_released_total', 'Locks that this replica gave back.', ['lock_name']),
  };
  const held = new Histogram({
    name: 'm10_lock_duration_seconds',
    help: 'How long this replica held locks.',
    labelNames: ['lock_name'],
    buckets: heldSeconds,
    registers,
  });
  const eventLabels = ['aggregate_type', 'event_type'] as const;
  const outbox = {
    processed: counter('m10_outbox_processed_total', 'Events that this replica delivered.', eventLabels),
    failed: counter('m10_outbox_failed_total', 'Tries of this replica that failed.', eventLabels),
    dead: counter('m10bot_outbox_dead_total', 'Events that this replica gave up on.', eventLabels),
  };
  const processing = new Histogram({
    name: 'm10_outbox_processing_seconds',
    help: 'How long tries to deliver an event took.',
    labelNames: ['event_type'],
    buckets: trySeconds,
    registers,
  });
  const archived = counter('m10_archive_total', 'Dead letters that this replica archived.', ['source']);
  const deleted = counter('m10_archive_retention_deleted_total', 'Rows that the retention deleted.', []);
  const runs = counter('m10bot_job_runs_total', 'Runs of the periodic jobs on this replica.', [
    'job',
    'outcome',
  ]);
  for (const job of jobNames) for (const outcome of JobOutcome.options) runs.inc({ job, outcome }, 0);

  const known = new Map<EventLabels, ReturnType<typeof newSeries>>();
  function newSeries(pair: EventLabels) {
    // From zero, so that the first one counts as an increase.
    for (const each of Object.values(outbox)) each.inc(pair, 0);
    return {
      processed: outbox.processed.labels(pair),
      failed: outbox.failed.labels(pair),
      dead: outbox.dead.labels(pair),
      seconds: processing.labels({ event_type: pair.event_type }),
    };
  }
  function seriesOf(pair: EventLabels) {
    let series = known.get(pair);
    if (series === undefined) {
      series = newSeries(pair);
      known.set(pair, series);
    }
    return series;
  }

  return {
    lock(name, what, seconds) {
      const label = { lock_name: lockName(name) };
      for (const each of Object.values(locks)) each.inc(label, 0);
      locks[what].inc(label);
      if (what === 'released' && seconds !== undefined) held.observe(label, Math.max(0, seconds));
    },
    outbox({ kind, aggregateType, eventType, seconds }) {
      const series = seriesOf(labels.pair(aggregateType, eventType));
      series[kind].inc();
      // The last try of an event that is given up was told as failed.
      if (kind !== 'dead') series.seconds.observe(Math.max(0, seconds));
    },
    archived(from, count) {
      archived.inc({ source: source(from) }, Math.max(0, count));
    },
    retentionDeleted(count) {
      deleted.inc(Math.max(0, count));
    },
    jobRun(job, outcome) {
      runs.inc({ job, outcome });
    },
  };
}
