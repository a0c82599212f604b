import cron from 'node-cron';
import { createZone, type Zone } from '../zone.js';

/**
 * The moments of a schedule. All are ms since the epoch and whole seconds.
 *
 * A schedule for every hour (`*` as its hour) goes by the clock on the wall as it passes: an hour that comes twice
 * has its moments twice, an hour that is left out has none, and the distance between two moments stays the same.
 * A schedule for certain hours means times of a day: each happens once on each of its days. When the clocks jump
 * over it, its moment is the first after the jump, and several of them are one; when it comes twice, its moment is
 * the first of the two.
 */
export interface Ticks {
  /** The first moment after an instant; null when there is none within ten years. */
  next(after: number): number | null;
  /** The last moment at or before an instant; null when there was none within ten years. */
  previous(at: number): number | null;
  /**
   * A cron expression for UTC that matches each of these moments, and perhaps others: a timer that knows nothing
   * of changing clocks can be driven by it.
   */
  readonly drive: string;
}

const day = 86_400_000;
const hour = 3_600_000;
const mostDays = 3_660;
/** Clocks change by less than this. */
const around = 26 * hour;

/**
 * Reads the times of day and the days as node-cron does, day tokens such as `L` and `5#2` included; the change of
 * clocks is our own, since node-cron 4.6 leaves out a day whose time does not exist, and the first of two hours.
 * @throws Error for an expression that node-cron refuses, RangeError for an unknown time zone
 */
export function createTicks(expression: string, timezone: string): Ticks {
  const fields = cron.parse(expression);
  const seconds = ascending(fields.second);
  const minutes = ascending(fields.minute);
  const hours = ascending(fields.hour);
  const zone = createZone(timezone);
  const matcher = cron.createTask(expression, () => undefined, { timezone: 'UTC' });
  // Only its `match` is asked; taken out of node-cron's list of tasks, it can be forgotten.
  void matcher.destroy();
  const firstOfDay = timeOf(hours[0] ?? 0, minutes[0] ?? 0, seconds[0] ?? 0);
  const isDay = (midnight: number) => matcher.match(new Date(midnight + firstOfDay));

  /** The first time on the wall at or after `local`. */
  function nextLocal(local: number): number | null {
    let midnight = Math.floor(local / day) * day;
    let from = local - midnight;
    for (let i = 0; i < mostDays; i += 1, midnight += day, from = 0) {
      const found = from < day && isDay(midnight) ? timeFrom(hours, minutes, seconds, from) : null;
      if (found !== null) return midnight + found;
    }
    return null;
  }

  /** The last time on the wall at or before `local`. */
  function previousLocal(local: number): number | null {
    let midnight = Math.floor(local / day) * day;
    let until = local - midnight;
    for (let i = 0; i < mostDays; i += 1, midnight -= day, until = day) {
      const found = isDay(midnight) ? timeUntil(hours, minutes, seconds, until) : null;
      if (found !== null) return midnight + found;
    }
    return null;
  }

  const walk = { zone, nextLocal, previousLocal };
  const sides = hours.length === 24 ? everyHour(walk) : certainHours(walk);
  return {
    next: (after) => sides.next(Math.floor(after / 1_000) * 1_000),
    previous: (at) => sides.previous(Math.floor(at / 1_000) * 1_000),
    // After a jump of the clocks a moment falls on its end, which is a whole minute.
    drive: timezone === 'UTC' ? expression : `${[...new Set([0, ...seconds])].join(',')} * * * * *`,
  };
}

interface Walk {
  readonly zone: Zone;
  nextLocal(local: number): number | null;
  previousLocal(local: number): number | null;
}

type Sides = Pick<Ticks, 'next' | 'previous'>;

/** Every instant whose time on the wall matches. */
function everyHour({ zone, nextLocal, previousLocal }: Walk): Sides {
  return {
    next(after) {
      let from = after + 1_000;
      // Each round ends before the next change of clocks or goes on from it.
      for (;;) {
        const offset = zone.offset(from);
        const local = nextLocal(from + offset);
        if (local === null) return null;
        if (zone.offset(local - offset) === offset) return local - offset;
        from = zone.change(from, local - offset);
      }
    },
    previous(at) {
      let until = at;
      for (;;) {
        const offset = zone.offset(until);
        const local = previousLocal(until + offset);
        if (local === null) return null;
        const found = local - offset;
        if (zone.offset(found) === offset) return found;
        until = lastBefore(zone, found, until);
      }
    },
  };
}

/** The last second before the offset of `until` began. */
function lastBefore(zone: Zone, from: number, until: number): number {
  const offset = zone.offset(until);
  let [low, high] = [from, until];
  while (high - low > 1_000) {
    const middle = low + Math.floor((high - low) / 2_000) * 1_000;
    if (zone.offset(middle) === offset) high = middle;
    else low = middle;
  }
  return low;
}

/**
 * One instant for each matching time on the wall. Later times never have earlier instants, so the search begins
 * on the safe side of any change of clocks and ends at the first that fits.
 */
function certainHours({ zone, nextLocal, previousLocal }: Walk): Sides {
  const calm = (at: number) =>
    zone.offset(at - around) === zone.offset(at) && zone.offset(at + around) === zone.offset(at);
  return {
    next(after) {
      let local = nextLocal(zone.local(after) - (calm(after) ? 0 : 3 * hour));
      while (local !== null) {
        const instant = zone.instant(local);
        if (instant > after) return instant;
        local = nextLocal(local + 1_000);
      }
      return null;
    },
    previous(at) {
      let local = previousLocal(zone.local(at) + (calm(at) ? 0 : 3 * hour));
      while (local !== null) {
        const instant = zone.instant(local);
        if (instant <= at) return instant;
        local = previousLocal(local - 1_000);
      }
      return null;
    },
  };
}

function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

function timeOf(hours: number, minutes: number, seconds: number): number {
  return ((hours * 60 + minutes) * 60 + seconds) * 1_000;
}

/** The first time of day at or after `from`. */
function timeFrom(
  hours: readonly number[],
  minutes: readonly number[],
  seconds: readonly number[],
  from: number,
): number | null {
  for (const h of hours) {
    if (timeOf(h, 59, 59) < from) continue;
    for (const m of minutes) {
      if (timeOf(h, m, 59) < from) continue;
      const s = seconds.find((second) => timeOf(h, m, second) >= from);
      if (s !== undefined) return timeOf(h, m, s);
    }
  }
  return null;
}

/** The last time of day at or before `until`. */
function timeUntil(
  hours: readonly number[],
  minutes: readonly number[],
  seconds: readonly number[],
  until: number,
): number | null {
  for (const h of hours.toReversed()) {
    if (timeOf(h, 0, 0) > until) continue;
    for (const m of minutes.toReversed()) {
      if (timeOf(h, m, 0) > until) continue;
      const s = seconds.findLast((second) => timeOf(h, m, second) <= until);
      if (s !== undefined) return timeOf(h, m, s);
    }
  }
  return null;
}
