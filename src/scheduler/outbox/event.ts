import { compactJson } from '../../clients/json-text.js';
import type { TextRow } from '../../clients/postgres.js';

/** A row of `m10_recovery.outbox` that is in our hands. */
export interface OutboxEvent {
  /** A bigint as text. */
  readonly id: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly eventType: string;
  /** For reading; what is passed on is `payloadText`, since numbers lose digits here. */
  readonly payload: unknown;
  /** The payload as the table has it, compact. */
  readonly payloadText: string;
  /** Tries that failed before this one. */
  readonly failedTries: number;
  /** When it was published, as the server writes it in ISO style: with the id it names the event for ever. */
  readonly publishedAt: string;
}

/** How a try to deliver an event ended; `error` is for people, without secrets. */
export type Try = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly error: string };

export const done: Try = { kind: 'done' };

export function failed(error: string): Try {
  return { kind: 'failed', error };
}

/** The columns that `eventOf` reads, in order. */
export const EVENT_COLUMNS =
  'o.id, o.aggregate_type, o.aggregate_id, o.event_type, o.payload, o.retry_count, o.created_at';

/** Reads a row of `EVENT_COLUMNS`. None of these columns can be null, and a jsonb is always JSON. */
export function eventOf(row: TextRow): OutboxEvent {
  const payloadText = compactJson(row[4] ?? 'null');
  return {
    id: row[0] ?? '',
    aggregateType: row[1] ?? '',
    aggregateId: row[2] ?? '',
    eventType: row[3] ?? '',
    payload: JSON.parse(payloadText),
    payloadText,
    failedTries: Number(row[5] ?? 0),
    publishedAt: row[6] ?? '',
  };
}

/** An event in words, such as `outbox event 7 (notify:ops)`. */
export function nameOf(event: Pick<OutboxEvent, 'id' | 'eventType'>): string {
  return `outbox event ${event.id} (${event.eventType})`;
}

/** The event as handlers get it, as JSON. */
export function jsonOf(event: OutboxEvent): string {
  const before = JSON.stringify({
    event_id: event.id,
    aggregate_type: event.aggregateType,
    aggregate_id: event.aggregateId,
    event_type: event.eventType,
  });
  return `${before.slice(0, -1)},"payload":${event.payloadText},"retry_count":${event.failedTries}}`;
}
