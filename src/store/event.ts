import { createHash } from 'node:crypto';
import { canonical, toJson } from './json.js';

/** What a writer hands in. The journal knows no event types: it keeps any type with any JSON. */
export interface EventDraft {
  readonly type: string;
  readonly data: unknown;
  /** Who caused it, such as a Slack user id; null or absent when nobody did. */
  readonly actor?: string | null;
}

/** An event as the journal keeps it. `E` is what a decoder made of its type and data. */
export type StoredEvent<E extends { type: string; data: unknown } = { type: string; data: unknown }> = E & {
  /** Place in the whole journal: 1, 2, 3, … without gaps. */
  readonly position: number;
  readonly stream: string;
  /** Place in its stream: 1, 2, 3, … without gaps. */
  readonly version: number;
  readonly actor: string | null;
  /** When it was written by the database's clock: ISO 8601 in UTC with milliseconds. */
  readonly at: string;
  /** SHA-256 over this event and the hash of the event before it, hexadecimal. */
  readonly hash: string;
};

/** The hash before the first event. */
export const GENESIS = '0'.repeat(64);

/** The hash an event must carry when the one before it carries `previous`. */
export function hashOf(event: Omit<StoredEvent, 'hash'>, previous: string): string {
  const { position, stream, version, type, data, actor, at } = event;
  const text = canonical({ position, stream, version, type, data: toJson(data), actor, at, previous });
  return createHash('sha256').update(text).digest('hex');
}

/** A row of `m10bot.events` as `EVENT_COLUMNS` selects it; pg hands out bigint as text. */
export interface EventRow {
  readonly position: string;
  readonly stream: string;
  readonly version: number;
  readonly type: string;
  readonly data: unknown;
  readonly actor: string | null;
  readonly at: string;
  readonly hash: string;
}

/** `at` is selected as text, since a tampered one ("infinity") would not survive a Date. */
export const EVENT_COLUMNS = `event.position, event.stream, event.version, event.type, event.data, event.actor,
  to_char(event.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at, event.hash`;

export function fromRow(row: EventRow): StoredEvent {
  const { stream, version, type, data, actor, at, hash } = row;
  return { position: Number(row.position), stream, version, type, data, actor, at, hash };
}
