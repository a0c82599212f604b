import { cleanupCall } from '../../clients/m10/locks.js';
import type { RetentionConfig } from '../../config-jobs.js';
import { type Job, JobFailure, type JobResult } from '../job.js';
import { type JobObserver, noObserver } from '../observe.js';
import { explained } from '../streams/failure.js';
import { type Cleaned, cleanTables } from '../streams/retention.js';
import { counted } from '../streams/stop.js';

/**
 * Deletes what is older than it is kept, in short transactions and within a time of its own. A table that fails
 * does not keep the others from being done; the job then fails and names it.
 */
export function createRetentionCleanup(
  config: Omit<RetentionConfig, 'timezone'>,
  deps: { readonly observer?: JobObserver } = {},
): Job {
  const observer = deps.observer ?? noObserver;
  return {
    name: 'retention-cleanup',
    lock: 'm10:retention_cleanup',
    ttlSeconds: 3_600,
    needs: {
      tables: {
        dead_letter_archive: ['id', 'archived_at'],
        replay_log: ['id', 'replayed_at'],
        outbox: ['id', 'processed_at'],
        distributed_locks: ['lock_name', 'expires_at'],
      },
      calls: { cleanup_expired_locks: cleanupCall },
      // A missing DELETE fails its table alone, and is said so, instead of holding up the others.
      privileges: {},
    },
    async run(context): Promise<JobResult> {
      const cleaned: Cleaned[] = [];
      const counts = () => Object.fromEntries(cleaned.map(({ name, deleted }) => [name, deleted]));
      return explained('The clean-up by age', counts, async () => {
        await cleanTables(context, config, cleaned, (count) => observer.retentionDeleted(count));
        const failed = cleaned.filter(({ problem }) => problem !== null);
        const lines = cleaned.map((one) => line(one, context.dryRun)).join('\n');
        if (failed.length === 0) {
          return { summary: summary(cleaned, context.dryRun), counts: counts(), output: lines };
        }
        throw new JobFailure(
          `${failed.map(({ name, problem }) => `${name} was not cleaned: ${problem?.message ?? ''}`).join('; ')}.`,
          {
            advice: [...new Set(failed.map(({ problem }) => problem?.advice ?? ''))].join(' '),
            counts: counts(),
            output: lines,
          },
        );
      });
    },
  };
}

function summary(cleaned: readonly Cleaned[], dryRun: boolean): string {
  const parts = cleaned.map(({ deleted, rows }) => counted(deleted, ...rows));
  const why = cleaned.find((one) => one.stopped !== null)?.stopped ?? null;
  const left = cleaned.flatMap(({ left: count, rows }) => (count === null ? [] : [counted(count, ...rows)]));
  const rest = left.length === 0 ? '' : `; ${left.join(', ')} left for the next run`;
  const told = why === null ? '' : ` Stopped before the end, since ${why}${rest}.`;
  return `${dryRun ? 'Would delete' : 'Deleted'} ${parts.join(', ')}.${told}`;
}

function line(one: Cleaned, dryRun: boolean): string {
  const done = `${one.name}: ${dryRun ? 'would delete' : 'deleted'} ${one.deleted.toLocaleString('en')}`;
  if (one.problem !== null) return `${done}, then failed: ${one.problem.message}`;
  return one.left === null ? done : `${done}, ${one.left.toLocaleString('en')} left`;
}
