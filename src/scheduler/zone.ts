/** A time zone as a function, and what its clocks do when they change. All values are ms. */
export interface Zone {
  /** What the clocks there show at an instant, as if it were UTC. */
  local(instant: number): number;
  /** How far the clocks there are ahead of UTC at an instant. */
  offset(instant: number): number;
  /**
   * The first instant at which the clocks show this time or, when they jump over it, the first after the jump.
   * A time that they show twice is meant the first time.
   */
  instant(local: number): number;
  /** The first instant after `from`, up to `to`, at which the offset is no longer the one of `from`. */
  change(from: number, to: number): number;
}

const hour = 3_600_000;
/** No zone is further from UTC, so that both offsets around a change lie within this. */
const reach = 26 * hour;

/** @throws RangeError for a zone that the runtime does not know */
export function createZone(name: string): Zone {
  const offset = name === 'UTC' ? () => 0 : offsetsOf(name);

  function change(from: number, to: number): number {
    const before = offset(from);
    let [low, high] = [from, to];
    while (high - low > 1_000) {
      const middle = low + Math.floor((high - low) / 2_000) * 1_000;
      if (offset(middle) === before) low = middle;
      else high = middle;
    }
    return high;
  }

  return {
    offset,
    local: (instant) => instant + offset(instant),
    change,
    instant(local) {
      const before = offset(local - reach);
      const after = offset(local + reach);
      // The larger offset is the earlier instant.
      for (const candidate of [local - Math.max(before, after), local - Math.min(before, after)]) {
        if (candidate + offset(candidate) === local) return candidate;
      }
      return change(local - reach, local + reach);
    },
  };
}

function offsetsOf(timeZone: string): (instant: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (instant) => {
    const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of format.formatToParts(instant)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour: hours = 0, minute = 0, second = 0 } = parts;
    return Date.UTC(year, month - 1, day, hours, minute, second) - Math.floor(instant / 1_000) * 1_000;
  };
}
