import type { Snapshot } from './board.js';
import type { Reply } from './reply.js';

/** Where the open run stands, or how the last one ended. */
export function status(snapshot: Snapshot, by: string, now: number): Reply {
  return { kind: 'status', run: snapshot.run, beside: snapshot.beside, last: snapshot.last, now, by };
}
