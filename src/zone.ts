import { Temporal } from 'temporal-polyfill';

/**
 * A time zone as functions, and what its clocks do when they change: the one clock of schedules and maintenance
 * windows. All values are ms.
 */
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
  /** The first instant after `from`, up to `to`, at which the offset is no longer the one of `from`; `to` if there is none. */
  change(from: number, to: number): number;
}

/** @throws RangeError for a zone that is not known */
export function createZone(name: string): Zone {
  const zoned = (instant: number) => Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(name);
  const offset = (instant: number) => zoned(instant).offsetNanoseconds / 1e6;
  const nextChange = (from: number) =>
    zoned(from).getTimeZoneTransition('next')?.epochMilliseconds ?? Number.POSITIVE_INFINITY;

  // An unknown zone is a mistake where it is named, not at its first use.
  zoned(0);
  return {
    offset,
    local: (instant) => instant + offset(instant),
    change(from, to) {
      const before = offset(from);
      // Transitions may change a name only, such as of a zone that became another's summer time.
      let at = from;
      do at = nextChange(at);
      while (at < to && offset(at) === before);
      return Math.min(at, to);
    },
    instant(local) {
      const wall = Temporal.Instant.fromEpochMilliseconds(local).toZonedDateTimeISO('UTC').toPlainDateTime();
      // In a gap this is as long before the jump as the time lies after its beginning.
      const first = wall.toZonedDateTime(name, { disambiguation: 'earlier' }).epochMilliseconds;
      return first + offset(first) === local ? first : nextChange(first);
    },
  };
}

/** Whether a zone of this name is known, such as `Europe/Berlin`. */
export function isZone(name: string): boolean {
  try {
    createZone(name);
    return true;
  } catch {
    return false;
  }
}
