import { setTimeout as sleep } from 'node:timers/promises';
import { type Log, messageOf } from '../log.js';
import type { Timing } from './timing.js';

/** Waiting between tries: longer each time, and up to half as long again, so that replicas do not keep step. */
export function createTrying(log: Log, timing: Pick<Timing, 'backoff' | 'longestBackoff'>) {
  return {
    /**
     * Waits after the n-th failure.
     * @throws when the signal is aborted
     */
    async pause(attempt: number, error: unknown, signal: AbortSignal): Promise<void> {
      signal.throwIfAborted();
      log.warn({ attempt, why: messageOf(error) }, 'publishing failed; trying again');
      const wait = Math.min(timing.longestBackoff, timing.backoff * 2 ** Math.min(20, attempt - 1));
      await sleep(wait * (1 + Math.random() / 2), undefined, { signal });
    },
  };
}
