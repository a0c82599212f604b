export interface ClockWatch {
  /** By how much the clock was set since the last look, ms; 0 when it just went on. */
  jumped(): number;
}

/** The clock and the monotonic one drift apart by less than this between two looks, ms. */
const jumpMs = 2_000;

/**
 * Notices that the clock was set, or that the machine slept while its monotonic clock stood still. Timers go by
 * the monotonic clock and moments of schedules by the other, so that every jump leaves the timers wrong.
 */
export function createClockWatch(now: () => number, monotonic: () => number): ClockWatch {
  let before = { now: now(), monotonic: monotonic() };
  return {
    jumped() {
      const after = { now: now(), monotonic: monotonic() };
      const jump = after.now - before.now - (after.monotonic - before.monotonic);
      before = after;
      return Math.abs(jump) < jumpMs ? 0 : jump;
    },
  };
}
