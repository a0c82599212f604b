/** Most different values of a label whose values come from data. */
export const mostValues = 50;
/** Stands for every value beyond the cap. */
export const otherValue = 'other';
const longest = 120;

/**
 * Keeps the number of series bounded: the first values that come keep their names, all later ones are `other`.
 * Two calls with one value always give the same answer, so a series never changes its name.
 * @param redact values may be addresses, and an address may hold a password
 */
export function createCap(
  redact: (text: string) => string,
  most: number = mostValues,
): (value: string) => string {
  const known = new Map<string, string>();
  return (value) => {
    const before = known.get(value);
    if (before !== undefined) return before;
    if (known.size >= most) return otherValue;
    const safe = redact(value);
    const shown = safe.length > longest ? `${safe.slice(0, longest)}…` : safe;
    known.set(value, shown);
    return shown;
  };
}

export interface EventLabels extends Record<'aggregate_type' | 'event_type', string> {}

/** The labels of outbox events: each kind of aggregate and of event is capped, and so is each pair of them. */
export function createEventLabels(redact: (text: string) => string, most: number = mostValues) {
  const aggregate = createCap(redact, most);
  const event = createCap(redact, most);
  const others: EventLabels = { aggregate_type: otherValue, event_type: otherValue };
  const pairs = new Map<string, EventLabels>();
  /** By the values as they come; tens of thousands of events a second ask. */
  const asked = new Map<string, Map<string, EventLabels>>();

  function find(aggregateType: string, eventType: string): EventLabels {
    const labels = { aggregate_type: aggregate(aggregateType), event_type: event(eventType) };
    const key = JSON.stringify(labels);
    const known = pairs.get(key);
    if (known !== undefined) return known;
    if (pairs.size >= 2 * most) return others;
    pairs.set(key, labels);
    return labels;
  }

  return {
    event,
    /** Gives the same object for the same labels. */
    pair(aggregateType: string, eventType: string): EventLabels {
      const known = asked.get(aggregateType)?.get(eventType);
      if (known !== undefined) return known;
      const labels = find(aggregateType, eventType);
      // Only what is within the caps is remembered.
      if (labels.aggregate_type !== otherValue && labels.event_type !== otherValue) {
        const events = asked.get(aggregateType) ?? new Map<string, EventLabels>();
        asked.set(aggregateType, events.set(eventType, labels));
      }
      return labels;
    },
  };
}
export type EventLabelling = ReturnType<typeof createEventLabels>;
