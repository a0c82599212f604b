import { z } from 'zod';
import type { Queryable } from '../postgres.js';

/** The outbox as people and metrics look at it. Ages in seconds. */
export interface OutboxFacts {
  readonly pending: number;
  /** Pending events that could be taken now, by their own times; order within an aggregate may hold them. */
  readonly due: number;
  /** Pending events that wait for their next try. */
  readonly waiting: number;
  /** Pending events that a processor has taken. */
  readonly delivering: number;
  /** Most first. */
  readonly byType: readonly { readonly eventType: string; readonly pending: number }[];
  /** Since the oldest pending event was published; null when there is none. */
  readonly oldestAge: number | null;
  /** Since the oldest due event was published; 0 when none is due. A retried event counts from its publishing. */
  readonly lag: number;
  /** Since the oldest due event became due, be it by its publishing or by its next try; 0 when none is due. */
  readonly overdue: number;
  /** Pending events by tries that failed, fewest first. */
  readonly byRetries: readonly { readonly retries: number; readonly pending: number }[];
  /** Outbox events in the archive of dead letters. */
  readonly deadLettered: number;
  /** Newest event first, at most 5: of pending events, and of dead letters that the outbox still holds. */
  readonly lastErrors: readonly OutboxError[];
}

export interface OutboxError {
  readonly id: number;
  readonly eventType: string;
  readonly aggregate: string;
  readonly retries: number;
  readonly error: string;
  /** ms since the epoch; null when it has no next try or is due. */
  readonly nextTryAt: number | null;
  readonly dead: boolean;
}

/** At the end of `processed_by` of a pending event: a processor has it on lease until `next_retry_at`. */
const DELIVERING = ' (delivering)';

/** What `processed_by` holds on events that a run of this processor has on lease. */
export function leasedBy(run: string): string {
  return `${run}${DELIVERING}`;
}

const LEASED = `(next_retry_at > now() and processed_by like '%${DELIVERING}')`;
const DUE = '(next_retry_at is null or next_retry_at <= now())';

const Count = z.object({ key: z.union([z.string(), z.number()]), count: z.number() });
const ErrorRow = z.object({
  id: z.number(),
  eventType: z.string(),
  aggregate: z.string(),
  retries: z.number(),
  error: z.string(),
  nextTryAt: z.number().nullable(),
  dead: z.boolean(),
});
const Facts = z.object({
  pending: z.number(),
  due: z.number(),
  delivering: z.number(),
  oldestAge: z.number().nullable(),
  lag: z.number(),
  overdue: z.number(),
  byType: z.array(Count),
  byRetries: z.array(Count),
  deadLettered: z.number(),
  lastErrors: z.array(ErrorRow),
});

/** Reads all of it in one statement, that is at one moment. @throws the driver's error when there is no outbox */
export async function readOutbox(database: Queryable): Promise<OutboxFacts> {
  const [facts] = await database.rows(
    Facts,
    `with pending as materialized (
       select id, aggregate_type, aggregate_id, event_type, created_at, processed_by, retry_count, last_error,
              next_retry_at, ${DUE} as due, ${LEASED} as leased
         from m10_recovery.outbox where processed_at is null),
     dead as (
       select id, aggregate_type, aggregate_id, event_type, retry_count, last_error from m10_recovery.outbox
        where processed_at is not null and last_error like 'Dead letter %' order by id desc limit 5),
     errors as (
       (select id, event_type, aggregate_type, aggregate_id, retry_count, last_error,
               case when due then null else extract(epoch from next_retry_at) * 1000 end as next, false as dead
          from pending where last_error is not null order by id desc limit 5)
       union all
       select id, event_type, aggregate_type, aggregate_id, retry_count, last_error, null, true from dead)
     select count(*)::float8 as pending,
            (count(*) filter (where due))::float8 as due,
            (count(*) filter (where leased))::float8 as delivering,
            case when count(*) > 0 then greatest(extract(epoch from now() - min(created_at)), 0)::float8 end as "oldestAge",
            coalesce(greatest(extract(epoch from now() - min(created_at) filter (where due)), 0), 0)::float8 as lag,
            coalesce(greatest(extract(epoch from now() - min(greatest(created_at, next_retry_at)) filter (where due)), 0), 0)::float8
              as overdue,
            (select coalesce(json_agg(json_build_object('key', event_type, 'count', n) order by n desc, event_type), '[]')
               from (select event_type, count(*) as n from pending group by 1) t) as "byType",
            (select coalesce(json_agg(json_build_object('key', retry_count, 'count', n) order by retry_count), '[]')
               from (select retry_count, count(*) as n from pending group by 1) r) as "byRetries",
            (select count(*)::float8 from m10_recovery.dead_letter_archive where starts_with(dl_msg_id, 'outbox:'))
              as "deadLettered",
            (select coalesce(json_agg(json_build_object('id', id, 'eventType', event_type,
                'aggregate', aggregate_type || ' ' || aggregate_id, 'retries', retry_count, 'error', last_error,
                'nextTryAt', next, 'dead', dead) order by id desc), '[]')
               from (select * from errors order by id desc limit 5) e) as "lastErrors"
       from pending`,
  );
  if (facts === undefined) throw new TypeError('an aggregate gave no row');
  const { byType, byRetries, ...rest } = facts;
  return {
    ...rest,
    waiting: facts.pending - facts.due - facts.delivering,
    byType: byType.map(({ key, count }) => ({ eventType: String(key), pending: count })),
    byRetries: byRetries.map(({ key, count }) => ({ retries: Number(key), pending: count })),
  };
}

/** What became of the wish to deliver a waiting event now. Moments in ms since the epoch. */
export type RetryNow =
  | {
      /** `made_due`: it waited. `due_already`: nothing was changed. */
      readonly kind: 'made_due' | 'due_already';
      readonly eventType: string;
      readonly retries: number;
      readonly lastError: string | null;
      /** The earlier event of its aggregate that goes first; null when there is none. */
      readonly behind: number | null;
    }
  | { readonly kind: 'delivering'; readonly by: string; readonly until: number }
  | { readonly kind: 'processed'; readonly at: number; readonly lastError: string | null }
  | { readonly kind: 'not_found' };

const Row = z.object({
  eventType: z.string(),
  retries: z.number(),
  lastError: z.string().nullable(),
  processedAt: z.number().nullable(),
  processedBy: z.string().nullable(),
  nextTryAt: z.number().nullable(),
  leased: z.boolean(),
  due: z.boolean(),
  changed: z.boolean(),
  behind: z.number().nullable(),
});

/**
 * Makes a waiting event due now; the next run of the processor delivers it, after the earlier ones of its
 * aggregate. Its count of tries stays: a last try stays the last.
 */
export async function retryNow(database: Queryable, id: number): Promise<RetryNow> {
  const [row] = await database.rows(
    Row,
    `with changed as (
       update m10_recovery.outbox set next_retry_at = null
        where id = $1 and processed_at is null and next_retry_at > now() and not ${LEASED.replace('processed_by', "coalesce(processed_by, '')")}
       returning id)
     select event_type as "eventType", retry_count as retries, last_error as "lastError",
            (extract(epoch from processed_at) * 1000)::float8 as "processedAt", processed_by as "processedBy",
            (extract(epoch from next_retry_at) * 1000)::float8 as "nextTryAt",
            coalesce(${LEASED}, false) as leased, ${DUE} as due, exists (select 1 from changed) as changed,
            (select e.id::float8 from m10_recovery.outbox e
              where e.processed_at is null and e.aggregate_type = o.aggregate_type
                and e.aggregate_id = o.aggregate_id and (e.created_at, e.id) < (o.created_at, o.id)
              order by e.created_at, e.id limit 1) as behind
       from m10_recovery.outbox o where id = $1`,
    [id],
  );
  if (row === undefined) return { kind: 'not_found' };
  const { eventType, retries, lastError, behind } = row;
  if (row.processedAt !== null) return { kind: 'processed', at: row.processedAt, lastError };
  if (row.changed) return { kind: 'made_due', eventType, retries, lastError, behind };
  if (row.leased) {
    const by = (row.processedBy ?? '').replace(DELIVERING, '');
    return { kind: 'delivering', by, until: row.nextTryAt ?? 0 };
  }
  return { kind: 'due_already', eventType, retries, lastError, behind };
}
