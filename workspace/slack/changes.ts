import type { Timers } from './timers.js';

/** What happened in the workspace, as far as somebody looking at it could see. */
export interface Change {
  /** Grows by one with each change. */
  seq: number;
  kind:
    | 'message'
    | 'message_changed'
    | 'message_deleted'
    | 'reaction_added'
    | 'reaction_removed'
    | 'ephemeral'
    | 'view'
    | 'home'
    | 'delivery'
    | 'sockets';
  channel?: string;
  ts?: string;
  user?: string;
  detail?: string;
}

/** The log of changes, which clients read with a long poll instead of sleeping. */
export interface ChangeLog {
  add(change: Omit<Change, 'seq'>): void;
  /** The sequence number of the newest change, 0 when there is none. */
  cursor(): number;
  /** Changes after `cursor`; waits up to `waitMs` milliseconds for the first one. */
  since(cursor: number, waitMs: number): Promise<Change[]>;
  /** Lets everybody who waits go home. */
  close(): void;
}

export function createChangeLog(timers: Timers): ChangeLog {
  const log: Change[] = [];
  const waiting = new Set<() => void>();
  const wake = () => {
    const all = [...waiting];
    waiting.clear();
    for (const resolve of all) resolve();
  };
  return {
    add(change) {
      log.push({ seq: log.length + 1, ...change });
      wake();
    },
    cursor: () => log.length,
    async since(cursor, waitMs) {
      if (log.length <= cursor && waitMs > 0) {
        await new Promise<void>((resolve) => {
          const cancel = timers.after(waitMs, () => {
            waiting.delete(done);
            resolve();
          });
          const done = () => {
            cancel();
            resolve();
          };
          waiting.add(done);
        });
      }
      return log.slice(cursor);
    },
    close: wake,
  };
}
