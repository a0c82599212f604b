import { setTimeout as sleep } from 'node:timers/promises';

/** A budget of calls: `burst` at once, then one every `everyMs`. */
export interface Pace {
  readonly burst: number;
  readonly everyMs: number;
}

export interface Pacer {
  /**
   * Waits for a call's turn. Calls of low priority leave `reserve` calls of the budget untouched, so that an
   * urgent one never waits for them.
   * @throws when the signal is aborted
   */
  take(key: string, pace: Pace, reserve: number, signal: AbortSignal): Promise<void>;
  /** Slack said to wait: nobody goes before this many ms have passed. */
  pause(key: string, ms: number): void;
}

/** Keeps calls below Slack's limits instead of running into them. Time is the process's monotonic clock. */
export function createPacer(clock: () => number = () => performance.now()): Pacer {
  const buckets = new Map<string, { level: number; at: number }>();
  const paused = new Map<string, number>();

  /** Takes a call when it may go; otherwise the ms to wait. */
  function tryTake(key: string, pace: Pace, reserve: number): number {
    const now = clock();
    const until = paused.get(key) ?? 0;
    if (until > now) return until - now;
    const bucket = buckets.get(key) ?? { level: pace.burst, at: now };
    bucket.level = Math.min(pace.burst, bucket.level + (now - bucket.at) / pace.everyMs);
    bucket.at = now;
    buckets.set(key, bucket);
    const needed = Math.min(pace.burst, 1 + reserve);
    // Waiting for a fraction of a millisecond must not become waiting for ever.
    if (bucket.level < needed - 1e-6) return Math.max(1, (needed - bucket.level) * pace.everyMs);
    bucket.level -= 1;
    return 0;
  }

  return {
    async take(key, pace, reserve, signal) {
      for (;;) {
        signal.throwIfAborted();
        const wait = tryTake(key, pace, reserve);
        if (wait === 0) return;
        await sleep(Math.ceil(wait), undefined, { signal });
      }
    },
    pause(key, ms) {
      paused.set(key, Math.max(paused.get(key) ?? 0, clock() + ms));
    },
  };
}
