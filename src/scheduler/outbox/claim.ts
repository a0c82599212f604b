import type { Queryable, Statement, TextRow } from '../../clients/postgres.js';
import { EVENT_COLUMNS, eventOf, type OutboxEvent } from './event.js';

/**
 * Claims walk the pending events by age behind a cursor, which is the last event of the batch before: entries of
 * events that are done are never met twice, so the thousandth batch costs what the first did, even when VACUUM
 * cannot remove them. What comes up behind the cursor is found by the next pass.
 *
 * An event is claimed only when no earlier unprocessed one of its aggregate is there, be it waiting for its retry
 * or in another processor's hands. OFFSET 0 keeps the planner from joining all pending events for it: it is one
 * look into the unique index of pending events for each candidate.
 */
const due = (types: string) => `
  select d.ctid from m10_recovery.outbox d
   where d.processed_at is null
     and (d.created_at, d.id) > (coalesce((select created_at from m10_recovery.outbox where id = $1), '-infinity'), $1::bigint)
     and (d.next_retry_at is null or d.next_retry_at <= clock_timestamp())
     and ${types}
     and not exists (
       select 1 from m10_recovery.outbox e
        where e.processed_at is null
          and e.aggregate_type = d.aggregate_type and e.aggregate_id = d.aggregate_id
          and (e.created_at, e.id) < (d.created_at, d.id)
       offset 0)
   order by d.created_at, d.id
   limit $2
     for update skip locked`;

/**
 * Marks events done that are to be handled before the commit; a rollback undoes it. The place of a row cannot
 * change while we have it locked, so it is found by that and not by its key.
 */
const CLAIM_DONE: Statement = {
  name: 'm10bot_outbox_claim_done',
  text: `update m10_recovery.outbox o
    set processed_at = clock_timestamp(), processed_by = $4, next_retry_at = null
  where o.ctid = any(array(${due('d.event_type like any($3::text[])')}))
  returning ${EVENT_COLUMNS}`,
};

/** Takes events on lease: other processors leave them alone until `next_retry_at`. */
const CLAIM_LEASE: Statement = {
  name: 'm10bot_outbox_claim_lease',
  text: `update m10_recovery.outbox o
    set processed_by = $4, next_retry_at = clock_timestamp() + make_interval(secs => $5)
  where o.ctid = any(array(${due('not (d.event_type like any($3::text[]))')}))
  returning ${EVENT_COLUMNS}, o.xmin`,
};

/** The cursor in front of everything. */
export const START = '0';

export interface Claim {
  /** The last event of the batch before, or `START`. */
  readonly after: string;
  readonly batch: number;
  /** LIKE patterns of the event types that are handled in this process. */
  readonly localTypes: readonly string[];
  /** Written to `processed_by`. */
  readonly by: string;
}

/** An event on lease. */
export interface Leased {
  readonly event: OutboxEvent;
  /** Its row version as of our claim: another one means that somebody changed it since. */
  readonly version: string;
  /** Until when the lease surely lasts, by `performance.now()`. */
  readonly until: number;
}

/** Claims a batch of in-process events and marks them done, in the caller's transaction. Oldest first. */
export async function claimDone(transaction: Queryable, claim: Claim): Promise<OutboxEvent[]> {
  const { after, batch, localTypes, by } = claim;
  return (await transaction.prepared(CLAIM_DONE, [after, batch, localTypes, by])).map(eventOf);
}

/** Takes all other events on lease, in one statement that is its own transaction. Oldest first. */
export async function claimLease(
  database: Queryable,
  claim: Claim & { readonly leaseMs: number },
): Promise<Leased[]> {
  const { after, batch, localTypes, by, leaseMs } = claim;
  const until = performance.now() + leaseMs;
  const rows = await database.prepared(CLAIM_LEASE, [after, batch, localTypes, by, leaseMs / 1000]);
  return rows.map((row) => ({ event: eventOf(row), version: versionOf(row), until }));
}

function versionOf(row: TextRow): string {
  return row[7] ?? '';
}

/**
 * Makes the server keep the plans that the claims are written for, whatever its statistics say at the moment: an
 * outbox that was empty when it was analyzed looks as if sorting it whole were cheap. Times come in ISO style.
 */
export async function preferIndexes(database: Queryable): Promise<void> {
  await database.query(
    `select set_config(name, value, false) from (values ('plan_cache_mode', 'force_generic_plan'),
       ('enable_sort', 'off'), ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), ('jit', 'off'),
       ('DateStyle', 'ISO')) as setting (name, value)`,
  );
}
