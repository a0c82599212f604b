import type { Undelivered } from '../store/held.js';
import type { Snapshot } from './board.js';
import type { Reply } from './reply.js';

/**
 * Where the open run stands, or how the last one ended, and what the channel has not been told.
 * @param undelivered null: it could not be read
 */
export function status(
  snapshot: Snapshot,
  undelivered: Undelivered | null,
  by: string,
  now: number,
): Extract<Reply, { kind: 'status' }> {
  const { run, beside, last } = snapshot;
  return { kind: 'status', run, beside, last, undelivered, now, by };
}
