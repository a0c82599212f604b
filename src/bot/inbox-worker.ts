import { setTimeout as sleep } from 'node:timers/promises';
import type { Inbox, InboxItem } from '../store/inbox.js';
import { type Log, messageOf } from './log.js';

export interface InboxWorker {
  /** Begins with what an earlier process left, and looks for more at intervals. */
  start(): void;
  /** Handles the item that was just received. */
  kick(id: number): void;
  /** Takes nothing more, and waits for what is being handled. */
  stop(): Promise<void>;
}

/**
 * How long an item belongs to a worker, ms. What a dead process held comes back after it; what takes longer is
 * done twice at worst, and has its effect once all the same.
 */
const LEASE = 10_000;
const BATCH = 10;
/** How long stopping waits for what is being handled, ms; what is left comes back at the next start. */
const PATIENCE = 10_000;

/**
 * Handles what lies in the inbox, at least once each. Items are handled side by side, since a stop must not wait
 * behind a plan; those of one lane come one after the other, each when the one before it is done.
 */
export function createInboxWorker(deps: {
  readonly inbox: Pick<Inbox, 'claim' | 'claimOne' | 'finish' | 'fail'>;
  /** Unique to this process. */
  readonly owner: string;
  readonly handle: (item: InboxItem) => Promise<void>;
  /** Told of an item that is given up. */
  readonly onDead: (item: InboxItem, error: unknown) => Promise<void>;
  readonly log: Log;
  /** Default 5,000 ms. */
  readonly everyMs?: number;
  /** Default 30,000 ms. */
  readonly leaseMs?: number;
}): InboxWorker {
  const { inbox, owner, log } = deps;
  const leaseMs = deps.leaseMs ?? LEASE;
  const running = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let sweeping = false;
  /** Something became free while a sweep was under way. */
  let again = false;

  function track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => log.error({ error: messageOf(error) }, 'the inbox could not be worked on'))
      .finally(() => running.delete(tracked));
    running.add(tracked);
  }

  async function handle(item: InboxItem): Promise<void> {
    try {
      await deps.handle(item);
    } catch (error) {
      log.error({ key: item.key, attempts: item.attempts, error: messageOf(error) }, 'a delivery failed');
      const now = await inbox.fail(item.id, messageOf(error), owner);
      if (now === 'dead') await deps.onDead(item, error);
      track(sweep());
      return;
    }
    await inbox.finish(item.id);
    // What came after it in its lane may begin now.
    track(sweep());
  }

  async function sweep(): Promise<void> {
    again = true;
    if (sweeping || stopped) return;
    sweeping = true;
    try {
      while (again) {
        again = false;
        const items = await inbox.claim({ owner, limit: BATCH, leaseMs });
        for (const item of items) track(handle(item));
        if (stopped) return;
        again ||= items.length === BATCH;
      }
    } finally {
      sweeping = false;
    }
  }

  return {
    start() {
      track(sweep());
      timer = setInterval(() => track(sweep()), deps.everyMs ?? 5_000);
    },
    kick(id) {
      if (stopped) return;
      track(
        inbox.claimOne(id, owner, leaseMs).then((item) => (item === undefined ? undefined : handle(item))),
      );
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      const patience = new AbortController();
      const handled = (async () => {
        while (running.size > 0) await Promise.all(running);
      })();
      await Promise.race([handled, sleep(PATIENCE, undefined, { signal: patience.signal }).catch(() => {})]);
      patience.abort();
    },
  };
}
