import { setTimeout as sleep } from 'node:timers/promises';
import type { Inbox, InboxItem } from '../store/inbox.js';
import { type Log, messageOf } from './log.js';
import { QUEUES, type Queue } from './queues.js';

export interface InboxWorker {
  /** Begins with what an earlier process left, and looks for more at intervals. */
  start(): void;
  /** Handles the item that was just received. */
  kick(id: number, queue: Queue): void;
  /** Takes nothing more, and waits for what is being handled. */
  stop(): Promise<void>;
}

/**
 * How long an item belongs to a worker, ms. What a dead process held comes back after it; what takes longer is
 * done twice at worst, and has its effect once all the same.
 */
const LEASE = 10_000;
/** How long stopping waits for what is being handled, ms; what is left comes back at the next start. */
const PATIENCE = 10_000;

/**
 * Handles what lies in the inbox, at least once each. Items are handled side by side, each queue's in its own slots, since
 * a stop must not wait behind a plan or a crowd's reactions; those of one lane come one after the other, each when the one
 * before it is done.
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
  /** Default 10,000 ms. */
  readonly leaseMs?: number;
}): InboxWorker {
  const { inbox, owner, log } = deps;
  const leaseMs = deps.leaseMs ?? LEASE;
  const running = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

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
      return;
    }
    await inbox.finish(item.id);
  }

  /** One queue's part of the work. */
  function createPart(queue: Queue) {
    const { slots, kinds } = QUEUES[queue];
    let busy = 0;
    let sweeping = false;
    /** Something became free while a sweep was under way. */
    let again = false;

    /** Keeps a slot while this lasts, but no longer than the item is ours: what hangs must not fill a queue for ever. */
    function occupy(work: Promise<void>): void {
      busy += 1;
      let held = true;
      const free = () => {
        if (held) busy -= 1;
        held = false;
      };
      const limit = setTimeout(free, leaseMs);
      limit.unref();
      const ended = () => {
        clearTimeout(limit);
        free();
        // What came after it in its lane, or found no slot, may begin now.
        if (!stopped) track(sweep());
      };
      track(work.finally(ended));
    }

    async function sweep(): Promise<void> {
      again = true;
      if (sweeping) return;
      sweeping = true;
      try {
        while (again && !stopped) {
          again = false;
          const limit = slots - busy;
          if (limit <= 0) return;
          const items = await inbox.claim({ owner, limit, leaseMs, kinds });
          for (const item of items) occupy(handle(item));
        }
      } finally {
        sweeping = false;
      }
    }

    async function one(id: number): Promise<void> {
      const item = await inbox.claimOne(id, owner, leaseMs);
      if (item !== undefined) await handle(item);
    }

    return {
      sweep: () => track(sweep()),
      kick(id: number) {
        // Without a free slot it lies where it is, and the next slot that is freed takes it.
        if (!stopped && busy < slots) occupy(one(id));
      },
    };
  }

  const parts: Readonly<Record<Queue, ReturnType<typeof createPart>>> = {
    stop: createPart('stop'),
    'stop-sign': createPart('stop-sign'),
    reaction: createPart('reaction'),
    order: createPart('order'),
  };
  const sweepAll = () => {
    for (const part of Object.values(parts)) part.sweep();
  };

  return {
    start() {
      sweepAll();
      timer = setInterval(sweepAll, deps.everyMs ?? 5_000);
    },
    kick: (id, queue) => parts[queue].kick(id),
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
