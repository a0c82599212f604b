import type { Database, Queryable } from '../../clients/postgres.js';
import { type Claim, claimDone, type Leased } from './claim.js';
import { errorText } from './deliver.js';
import { failed, type OutboxEvent } from './event.js';
import type { LocalHandler, Router } from './route.js';
import type { Ended } from './window.js';

export interface LocalRound {
  /** Handled, with how long each took. Committed. */
  readonly delivered: readonly { readonly event: OutboxEvent; readonly seconds: number }[];
  /** Failed, and on lease until that is written down. */
  readonly failed: readonly Ended[];
  /** The last event that was claimed; null when there was none. */
  readonly cursor: string | null;
  /** Whether nothing was left behind the cursor. */
  readonly exhausted: boolean;
}

export interface LocalOptions {
  readonly database: Database;
  readonly router: Router;
  readonly claim: Omit<Claim, 'after'>;
  /** What `processed_by` holds on events of this run that are not done. */
  readonly lease: string;
  readonly leaseMs: number;
  /** Asked before each batch. */
  readonly stopped: () => boolean;
}

/** Batches that share a commit; after a crash as many are handled again. */
const BATCHES = 4;

/**
 * Handles events in this process: claims mark them done, the handlers run, and the commit makes it true; until
 * then a crash leaves everything as it was. While one batch is handled the server claims the next.
 */
export async function localRound(options: LocalOptions, after: string): Promise<LocalRound> {
  const { database, claim, stopped } = options;
  const delivered: { event: OutboxEvent; seconds: number }[] = [];
  const broken = new Map<string, { event: OutboxEvent; error: string; seconds: number }>();
  const held: OutboxEvent[] = [];
  let cursor = after;
  let exhausted = false;

  /** A handler that returns no promise costs none: there are tens of thousands of these a second. */
  async function handleAll(events: readonly OutboxEvent[]): Promise<void> {
    // An event whose aggregate's earlier one failed in this transaction was claimed as if that were done.
    const stuck = new Set([...broken.values()].map(({ event }) => aggregateOf(event)));
    for (const event of events) {
      if (stuck.size > 0 && stuck.has(aggregateOf(event))) {
        held.push(event);
        continue;
      }
      const started = performance.now();
      try {
        const handled = handlerOf(options.router, event)(event);
        if (handled !== undefined) await handled;
        delivered.push({ event, seconds: (performance.now() - started) / 1000 });
      } catch (error) {
        const seconds = (performance.now() - started) / 1000;
        broken.set(event.id, { event, error: errorText(messageOf(error)), seconds });
      }
    }
  }

  const leased = await database.transaction(async (transaction) => {
    let next = claimDone(transaction, { ...claim, after });
    for (let batch = 1; ; batch += 1) {
      const events = await next;
      cursor = newest(events, cursor);
      exhausted = events.length < claim.batch;
      if (batch > 1 && stopped()) {
        // It was claimed while the last one was handled.
        held.push(...events);
        break;
      }
      const goOn = !exhausted && batch < BATCHES && !stopped();
      if (goOn) {
        next = claimDone(transaction, { ...claim, after: cursor });
        // It is awaited above; until then its failure is nobody's.
        next.catch(() => undefined);
      }
      await handleAll(events);
      if (!goOn) break;
    }
    return putBack(transaction, options, [...broken.values()], held);
  });
  return { delivered, failed: leased, cursor: cursor === after ? null : cursor, exhausted };
}

function handlerOf(router: Router, event: OutboxEvent): LocalHandler {
  const route = router.route(event.eventType);
  if (route.kind !== 'local') throw new Error(`Nobody in this process handles ${event.eventType}.`);
  return route.handle;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Makes what failed pending again, on lease, and what had to wait for it as it was. */
async function putBack(
  transaction: Queryable,
  options: LocalOptions,
  broken: readonly { readonly event: OutboxEvent; readonly error: string; readonly seconds: number }[],
  held: readonly OutboxEvent[],
): Promise<Ended[]> {
  if (broken.length + held.length === 0) return [];
  const until = performance.now() + options.leaseMs;
  await transaction.query(
    `update m10_recovery.outbox set processed_at = null, processed_by = null where id = any($1::bigint[])`,
    [held.map(({ id }) => id)],
  );
  const rows = await transaction.prepared(
    {
      name: 'm10bot_outbox_put_back',
      text: `update m10_recovery.outbox o
          set processed_at = null, processed_by = $2, next_retry_at = clock_timestamp() + make_interval(secs => $3)
        where o.id = any($1::bigint[]) returning o.id, o.xmin`,
    },
    [broken.map(({ event }) => event.id), options.lease, options.leaseMs / 1000],
  );
  const versions = new Map(rows.map(([id, version]) => [id, version ?? '']));
  return broken.map(({ event, error, seconds }) => {
    const leased: Leased = { event, version: versions.get(event.id) ?? '', until };
    return { ...leased, end: failed(error), seconds };
  });
}

/** Ids grow with age, near enough for a cursor: what is passed over is met by the next pass. */
export function newest(events: readonly { readonly id: string }[], cursor: string): string {
  let found = cursor;
  for (const { id } of events) if (Number(id) > Number(found)) found = id;
  return found;
}

function aggregateOf(event: OutboxEvent): string {
  return JSON.stringify([event.aggregateType, event.aggregateId]);
}
