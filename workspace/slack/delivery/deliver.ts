import type { ChangeLog } from '../changes.js';
import type { JsonObject } from '../json.js';
import { stringAt } from '../json.js';
import type { Timers } from '../timers.js';
import type { Outcome, Transport } from './transport.js';

/** At once, after a minute, after five minutes. */
export const SLACK_RETRY_SCHEDULE_MS: readonly number[] = [0, 60_000, 300_000];

/** What became of a command or an interaction, for the person who made it. */
export type Reply =
  | { ok: true; body: unknown }
  | { ok: false; error: 'dispatch_failed' | 'operation_timeout' };

/** An event as it was first delivered, and how each attempt ended. */
export interface Delivered {
  eventId: string;
  payload: JsonObject;
  attempts: Outcome['kind'][];
}

/** Takes things to the app, with Slack's patience for each kind. */
export interface Deliveries {
  /** Delivers an event; tries again by the schedule until it is acknowledged, then gives up. */
  event(payload: JsonObject): void;
  /** Delivers a command or an interaction once. */
  ask(kind: 'slash_commands' | 'interactive', payload: JsonObject): Promise<Reply>;
  /** Delivers the last `count` events once more, as Slack does at times without need. */
  redeliver(count: number): void;
  /** Events so far, oldest first. */
  events(): readonly Delivered[];
}

/** HTTP has names of its own for the reasons of a retry. */
function reasonOf(outcome: Outcome, viaHttp: boolean): string {
  switch (outcome.kind) {
    case 'refused':
      return outcome.reason;
    case 'nobody':
      return 'connection_failed';
    case 'timeout':
    case 'acknowledged':
      return viaHttp ? 'http_timeout' : 'timeout';
  }
}

/**
 * @param transport - the way to the app now; it may change between two attempts
 * @param scheduleMs - milliseconds before each further attempt
 */
export function createDeliveries(
  transport: () => { transport: Transport; viaHttp: boolean },
  parts: { timers: Timers; changes: ChangeLog; scheduleMs: readonly number[] },
): Deliveries {
  const log: Delivered[] = [];

  async function attempt(delivered: Delivered, num: number, reason: string): Promise<void> {
    const way = transport();
    const retry = num === 0 ? undefined : { num, reason };
    const outcome = await way.transport.send('events_api', delivered.payload, retry);
    delivered.attempts.push(outcome.kind);
    parts.changes.add({ kind: 'delivery', detail: `${delivered.eventId} ${outcome.kind}` });
    if (outcome.kind === 'acknowledged' || (outcome.kind === 'refused' && outcome.noRetry)) return;
    const wait = parts.scheduleMs[num];
    if (wait === undefined) return;
    const why = reasonOf(outcome, way.viaHttp);
    parts.timers.after(wait, () => void attempt(delivered, num + 1, why));
  }

  return {
    event(payload) {
      const delivered: Delivered = { eventId: stringAt(payload, 'event_id') ?? '', payload, attempts: [] };
      log.push(delivered);
      void attempt(delivered, 0, '');
    },
    async ask(kind, payload) {
      const outcome = await transport().transport.send(kind, payload, undefined);
      switch (outcome.kind) {
        case 'acknowledged':
          return { ok: true, body: outcome.body };
        case 'timeout':
          return { ok: false, error: 'operation_timeout' };
        case 'refused':
        case 'nobody':
          return { ok: false, error: 'dispatch_failed' };
      }
    },
    redeliver(count) {
      for (const { payload, eventId } of log.slice(-count)) {
        const again: Delivered = { eventId, payload, attempts: [] };
        const way = transport();
        void attempt(again, 1, way.viaHttp ? 'http_timeout' : 'timeout');
      }
    },
    events: () => log,
  };
}
