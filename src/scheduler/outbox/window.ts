import type { Leased } from './claim.js';
import type { Deliver } from './deliver.js';
import type { Try } from './event.js';
import { createStop } from './stop.js';

/** A delivery that has ended. */
export interface Ended extends Leased {
  readonly end: Try;
  readonly seconds: number;
}

/**
 * Deliveries that slide: as soon as one ends the next begins, so a slow receiver holds up its own place and not a
 * batch. Nothing here touches the database.
 */
export interface Window {
  /** Leased events that begin as soon as there is room, in order. */
  add(events: readonly Leased[]): void;
  /** Takes what has ended since the last call. */
  ended(): Ended[];
  /** Takes what did not begin in the time its lease left, and can be given back. */
  late(): Leased[];
  /** Takes everything that has not begun. */
  withdraw(): Leased[];
  readonly waiting: number;
  readonly running: number;
  /** Resolves when something has ended or was late, or after `ms`. */
  changed(ms: number): Promise<void>;
  /** Ends every delivery that is under way, and waits for that. */
  abort(): Promise<void>;
}

export interface WindowOptions {
  readonly concurrency: number;
  readonly deliver: Deliver;
  /** What must be left of a lease when its delivery begins, ms. */
  readonly needsMs: number;
}

export function createWindow({ concurrency, deliver, needsMs }: WindowOptions): Window {
  let queue: Leased[] = [];
  let over: Ended[] = [];
  let tooLate: Leased[] = [];
  let wake: (() => void) | null = null;
  const running = new Set<Promise<void>>();
  const ending = createStop();

  function pump(): void {
    while (running.size < concurrency) {
      const next = queue.shift();
      if (next === undefined) return;
      if (next.until - performance.now() < needsMs) {
        // Begun now, it could still be under way when another processor may take it.
        tooLate.push(next);
        wake?.();
        continue;
      }
      const one = deliverOne(next).then(() => {
        running.delete(one);
        pump();
        wake?.();
      });
      running.add(one);
    }
  }

  async function deliverOne(leased: Leased): Promise<void> {
    const started = performance.now();
    const end = await deliver(leased.event, ending);
    over.push({ ...leased, end, seconds: (performance.now() - started) / 1000 });
  }

  return {
    add(events) {
      queue.push(...events);
      pump();
    },
    ended() {
      const taken = over;
      over = [];
      return taken;
    },
    late() {
      const taken = tooLate;
      tooLate = [];
      return taken;
    },
    withdraw() {
      const taken = queue;
      queue = [];
      return taken;
    },
    get waiting() {
      return queue.length;
    },
    get running() {
      return running.size;
    },
    async changed(ms) {
      if (over.length > 0 || tooLate.length > 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      wake = null;
    },
    async abort() {
      queue = [];
      ending.stop();
      await Promise.all(running);
    },
  };
}
