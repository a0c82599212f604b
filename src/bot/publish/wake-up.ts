import { setTimeout as sleep } from 'node:timers/promises';

export interface WakeUp {
  /** Wakes everyone who waits. */
  wake(): void;
  /** How often it was called; read before looking, so that a call in between is not missed. */
  count(): number;
  /** Waits for a call after `seen`, for `ms` at most; returns at once when there was one, or on abort. */
  wait(seen: number, ms: number, signal: AbortSignal): Promise<void>;
}

export function createWakeUp(): WakeUp {
  let calls = 0;
  let bell = new AbortController();
  return {
    wake() {
      calls += 1;
      bell.abort();
      bell = new AbortController();
    },
    count: () => calls,
    async wait(seen, ms, signal) {
      if (calls !== seen || signal.aborted) return;
      await sleep(ms, undefined, { signal: AbortSignal.any([bell.signal, signal]) }).catch(() => {});
    },
  };
}
