import type { JobOutcome } from '../runbook/jobs/events.js';
import type { JobName } from '../runbook/jobs/names.js';

/** What became of one outbox event. */
export interface OutboxSeen {
  /** `processed`: delivered and marked so. `failed`: a try failed. `dead`: given up, told after its last `failed`. */
  readonly kind: 'processed' | 'failed' | 'dead';
  readonly aggregateType: string;
  readonly eventType: string;
  /** How long the try took, seconds. */
  readonly seconds: number;
}

/**
 * What the jobs tell while they work, for the metrics of this replica. Telling costs nothing worth a thought,
 * never throws and never waits, so a job calls it wherever the thing has surely happened.
 */
export interface JobObserver {
  /** @param heldSeconds how long the lock was ours, with `released` */
  lock(name: string, what: 'acquired' | 'failed' | 'released', heldSeconds?: number): void;
  outbox(event: OutboxSeen): void;
  /** Messages that newly stand in `dead_letter_archive`; `source` is the job that put them there. */
  archived(source: string, count: number): void;
  /** Rows that the retention deleted, of all tables. */
  retentionDeleted(count: number): void;
  jobRun(job: JobName, outcome: JobOutcome, seconds: number): void;
}

/** Listens to nothing. */
export const noObserver: JobObserver = {
  lock: () => {},
  outbox: () => {},
  archived: () => {},
  retentionDeleted: () => {},
  jobRun: () => {},
};
