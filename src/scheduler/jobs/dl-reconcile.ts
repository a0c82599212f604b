import { archiveCall } from '../../clients/m10/archive.js';
import { recordCall } from '../../clients/m10/replays.js';
import { deadLetterCap, streamNames } from '../../clients/m10/stream-names.js';
import { type Job, JobFailure, type JobResult } from '../job.js';
import { type JobObserver, noObserver } from '../observe.js';
import { explained } from '../streams/failure.js';
import { noCounts, type Reconciled, reconcile } from '../streams/reconcile.js';
import { type PageSizes, pageSizes, type ReconcileCounts } from '../streams/reconcile-page.js';
import { counted } from '../streams/stop.js';

/**
 * Brings the dead-letter stream, the main stream and the archive to agree: every dead letter is archived; a message
 * that was given up and is still pending is acknowledged; the dead-letter stream is cut to its cap.
 */
export function createDlReconcile(
  deps: {
    readonly observer?: JobObserver;
    /** Entries that stay in the dead-letter stream. */
    readonly cap?: number;
    readonly pages?: PageSizes;
  } = {},
): Job {
  const { observer = noObserver, cap = deadLetterCap, pages = pageSizes } = deps;
  return {
    name: 'dl-reconcile',
    lock: 'm10:reconcile_dl',
    ttlSeconds: 600,
    needs: {
      tables: {
        dead_letter_archive: ['dl_msg_id', 'original_msg_id'],
        replay_log: ['original_msg_id', 'idempotency_key', 'new_msg_id', 'replayed_at'],
      },
      calls: { archive_dead_letter: archiveCall, record_replay: recordCall },
      // Whether the functions write with the caller's rights or their owner's is the target's business.
      privileges: { dead_letter_archive: ['SELECT'], replay_log: ['SELECT'] },
    },
    async run(context): Promise<JobResult> {
      const counts = noCounts();
      return explained(
        'The reconciliation of dead letters',
        () => ({ ...counts }),
        async () => {
          const redis = await context.redis();
          const done = await reconcile(context, redis, { cap, pages }, counts, (count) =>
            observer.archived('dl-reconcile', count),
          );
          const output = linesOf(done, context.dryRun);
          const told = summary(counts, done, context.dryRun);
          const problem = problemOf(counts, done);
          if (problem === null) return { summary: told, counts: { ...counts }, output };
          throw new JobFailure(`${problem.message} ${told}`, {
            advice: problem.advice,
            counts: { ...counts },
            output,
          });
        },
      );
    },
  };
}

function problemOf(counts: ReconcileCounts, done: Reconciled): { message: string; advice: string } | null {
  if (counts.refused > 0) {
    return {
      message: `The archive does not take ${counted(counts.refused, 'dead letter')}.`,
      advice: `They stay in ${streamNames.deadLetters}, which is not cut beyond them. Look at them with XRANGE, save what is needed, and remove them with XDEL.`,
    };
  }
  if (!done.hasGroup && counts.read > 0) {
    return {
      message: `The group ${streamNames.group} of ${streamNames.main} does not exist, so nothing could be acknowledged.`,
      advice:
        'Check that `redis-url` leads to the right database. The workers create the group when they start; until then nobody reads the stream.',
    };
  }
  return null;
}

function summary(counts: ReconcileCounts, done: Reconciled, dryRun: boolean): string {
  if (counts.read === 0 && done.stopped === null) return 'There are no dead letters in the stream.';
  const would = dryRun ? 'would be ' : '';
  const parts = [
    `Read ${counted(counts.read, 'dead letter')}`,
    `${counts.archived.toLocaleString('en')} ${would}archived (${counts.alreadyArchived.toLocaleString('en')} had been)`,
    `${counted(counts.acknowledged, 'pending message')} ${would}acknowledged`,
  ];
  if (counts.trimmed > 0) parts.push(`${counts.trimmed.toLocaleString('en')} ${would}trimmed`);
  if (counts.malformed > 0) parts.push(`${counts.malformed.toLocaleString('en')} malformed`);
  const replays = counts.replaysRecorded + counts.replaysNoted;
  if (replays > 0) parts.push(`${counted(replays, 'replay')} ${would}recorded`);
  const stopped = done.stopped === null ? '' : ` Stopped before the end, since ${done.stopped}.`;
  return `${parts.join(', ')}.${stopped}`;
}

function linesOf(done: Reconciled, dryRun: boolean): string {
  return [
    ...done.refused.map(({ id, why }) => `${id} could not be archived: ${why}`),
    ...done.malformed.map(
      ({ id, problems }) =>
        `${id} is malformed, ${dryRun ? 'to be ' : ''}archived as it is: ${problems.join(', ')}`,
    ),
    ...done.pending.map((id) => `${id} is pending and would be acknowledged`),
  ].join('\n');
}
