import { collectReclaims } from '../../clients/m10/reclaims.js';
import type { Job, JobResult } from '../job.js';
import { explained } from '../streams/failure.js';
import { counted, stopReason } from '../streams/stop.js';

/** Fields of the hash that one call looks through. */
const page = 1_000;

/**
 * Removes the counts of reclaims whose message the group does not wait for any more, which nobody else does: the
 * hash would grow for ever. Lock and size of a call are those of the backend's own worker.
 */
export function createReclaimGc(): Job {
  return {
    name: 'reclaim-gc',
    lock: 'm10:reclaim_gc',
    ttlSeconds: 300,
    needs: { tables: {}, calls: {}, privileges: {} },
    async run(context): Promise<JobResult> {
      const counts = { read: 0, removed: 0, kept: 0, unreadable: 0 };
      return explained(
        'The clean-up of reclaim counts',
        () => counts,
        async () => {
          const redis = await context.redis();
          const examples: string[] = [];
          let cursor = '0';
          let stopped: string | null = null;
          do {
            stopped = stopReason(context);
            if (stopped !== null) break;
            const found = await collectReclaims(redis, { cursor, page, dryRun: context.dryRun });
            counts.read += found.read;
            counts.removed += found.orphans.length;
            counts.unreadable += found.unreadable;
            counts.kept += found.read - found.orphans.length - found.unreadable;
            examples.push(...found.orphans.slice(0, 10 - examples.length));
            cursor = found.cursor;
          } while (cursor !== '0');
          return { summary: summary(counts, context.dryRun, stopped), counts, output: examples.join('\n') };
        },
      );
    },
  };
}

function summary(
  counts: { readonly read: number; readonly removed: number; readonly unreadable: number },
  dryRun: boolean,
  stopped: string | null,
): string {
  const parts = [
    `${dryRun ? 'Would remove' : 'Removed'} ${counted(counts.removed, 'reclaim count')} of messages that are not pending, out of ${counts.read.toLocaleString('en')}`,
  ];
  if (counts.unreadable > 0) {
    parts.push(
      `left ${counted(counts.unreadable, 'field')} that ${counts.unreadable === 1 ? 'is' : 'are'} no message id`,
    );
  }
  if (stopped !== null) parts.push(`stopped before the end, since ${stopped}`);
  return `${parts.join('; ')}.`;
}
