import type { Timing } from './timing.js';

/** When a channel that took nothing is asked again: one clock for all lanes, so that they do not add up. */
export interface Patience {
  /** Whether it may be asked now. */
  due(channel: string): boolean;
  /** It took nothing: later each time. */
  refused(channel: string): void;
  /** It took something: whatever else waits for it may go at once. */
  opened(channel: string): void;
}

/** @param clock ms, monotonic */
export function createPatience(
  timing: Pick<Timing, 'backoff' | 'longestBackoff'>,
  clock: () => number = () => performance.now(),
): Patience {
  const waits = new Map<string, { readonly wait: number; readonly until: number }>();
  return {
    due: (channel) => clock() >= (waits.get(channel)?.until ?? 0),
    refused(channel) {
      const before = waits.get(channel);
      // Several lanes that ask at the same time are one try.
      if (before !== undefined && clock() < before.until) return;
      const wait = before === undefined ? timing.backoff : Math.min(before.wait * 2, timing.longestBackoff);
      waits.set(channel, { wait, until: clock() + wait });
    },
    opened: (channel) => void waits.delete(channel),
  };
}
