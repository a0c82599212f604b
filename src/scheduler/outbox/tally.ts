import type { JobObserver } from '../observe.js';
import type { OutboxEvent } from './event.js';

/** What one run did, by type; also what the metrics are told. */
export interface Tally {
  delivered(event: OutboxEvent, seconds: number): void;
  retried(event: OutboxEvent, seconds: number, error: string): void;
  buried(event: OutboxEvent, seconds: number, error: string): void;
  readonly counts: Readonly<Record<string, number>>;
  /** One line in the past tense. */
  summary(): string;
  /** One line for each type, and the last error. */
  output(): string;
}

interface Kind {
  delivered: number;
  retried: number;
  dead: number;
}

/** Types beyond these share a line. */
const MOST_TYPES = 50;

/** @param source what the archive's metric calls this job */
export function createTally(
  observer: Pick<JobObserver, 'outbox' | 'archived'> | undefined,
  source: string,
): Tally {
  const kinds = new Map<string, Kind>();
  let last: { readonly event: OutboxEvent; readonly error: string } | null = null;

  function kindOf(event: OutboxEvent): Kind {
    const name = kinds.has(event.eventType) || kinds.size < MOST_TYPES ? event.eventType : 'other types';
    let kind = kinds.get(name);
    if (kind === undefined) {
      kind = { delivered: 0, retried: 0, dead: 0 };
      kinds.set(name, kind);
    }
    return kind;
  }
  const see = (kind: 'processed' | 'failed' | 'dead', event: OutboxEvent, seconds: number) =>
    observer?.outbox({ kind, aggregateType: event.aggregateType, eventType: event.eventType, seconds });
  const sum = (what: keyof Kind) => [...kinds.values()].reduce((all, kind) => all + kind[what], 0);

  return {
    delivered(event, seconds) {
      kindOf(event).delivered += 1;
      see('processed', event, seconds);
    },
    retried(event, seconds, error) {
      kindOf(event).retried += 1;
      last = { event, error };
      see('failed', event, seconds);
    },
    buried(event, seconds, error) {
      kindOf(event).dead += 1;
      last = { event, error };
      see('failed', event, seconds);
      see('dead', event, seconds);
      observer?.archived(source, 1);
    },
    get counts() {
      return { delivered: sum('delivered'), retried: sum('retried'), deadLettered: sum('dead') };
    },
    summary() {
      const { delivered = 0, retried = 0, deadLettered = 0 } = this.counts;
      if (delivered + retried + deadLettered === 0) return 'No event was due.';
      const parts = [`Delivered ${delivered} ${delivered === 1 ? 'event' : 'events'}`];
      if (retried > 0) parts.push(`${retried} failed and will be tried again`);
      if (deadLettered > 0) {
        parts.push(`${deadLettered} became ${deadLettered === 1 ? 'a dead letter' : 'dead letters'}`);
      }
      const error = last === null ? '' : ` Last error: ${last.error}`;
      return `${parts.join('; ')}.${error}`;
    },
    output() {
      const lines = [...kinds].map(([type, kind]) => {
        const parts = [`${kind.delivered} delivered`];
        if (kind.retried > 0) parts.push(`${kind.retried} to be tried again`);
        if (kind.dead > 0) parts.push(`${kind.dead} dead`);
        return `${type}: ${parts.join(', ')}`;
      });
      if (last !== null) lines.push(`last error, of event ${last.event.id}: ${last.error}`);
      return lines.join('\n');
    },
  };
}
