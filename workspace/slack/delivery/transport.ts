import type { JsonObject } from '../json.js';

/** The three kinds of things that Slack sends to an app. */
export type EnvelopeKind = 'events_api' | 'slash_commands' | 'interactive';

/** Tells an app that a delivery is not the first. */
export interface Retry {
  num: number;
  reason: string;
}

/** How one attempt to deliver ended. */
export type Outcome =
  | { kind: 'acknowledged'; body: unknown }
  | { kind: 'timeout' }
  | { kind: 'refused'; reason: 'http_error' | 'connection_failed'; noRetry: boolean }
  /** Socket Mode with no socket connected. */
  | { kind: 'nobody' };

/** A way to the app: Socket Mode or HTTP. */
export interface Transport {
  send(kind: EnvelopeKind, payload: JsonObject, retry: Retry | undefined): Promise<Outcome>;
}
