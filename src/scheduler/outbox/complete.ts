import type { Queryable, Statement } from '../../clients/postgres.js';
import type { Leased } from './claim.js';

/**
 * The ends of leased events. Each statement changes an event only while its row is as our claim left it: a lease
 * that ran out may be another processor's by now, and a publisher may have put a newer payload into the pending
 * row, which nobody has delivered yet. The version of a row is the transaction that wrote it, and a claim writes
 * all its rows in one, so a set of versions says which rows are still as we left them.
 */
const OURS = 'o.processed_at is null and o.xmin = any($2::xid[])';

const COMPLETE: Statement = {
  name: 'm10bot_outbox_complete',
  text: `update m10_recovery.outbox o
    set processed_at = clock_timestamp(), processed_by = $3, next_retry_at = null
  where o.id = any($1::bigint[]) and ${OURS}
  returning o.id`,
};

const FAIL: Statement = {
  name: 'm10bot_outbox_fail',
  text: `update m10_recovery.outbox o
    set retry_count = o.retry_count + 1, last_error = f.error, processed_by = $3,
        next_retry_at = clock_timestamp() + make_interval(secs => f.delay)
   from unnest($1::bigint[], $4::text[], $5::float8[]) as f (id, error, delay)
  where o.id = f.id and o.id = any($1::bigint[]) and ${OURS}
  returning o.id`,
};

/** Archive and row change in one statement, so that no crash leaves the one without the other. */
export const BURY: Statement = {
  name: 'm10bot_outbox_bury',
  text: `with gone as (
    update m10_recovery.outbox o
       set processed_at = clock_timestamp(), processed_by = $3, next_retry_at = null,
           retry_count = o.retry_count + 1, last_error = $4
     where o.id = $1::bigint and ${OURS}
    returning o.*)
  select id, m10_recovery.archive_dead_letter('outbox:' || id, 'outbox:' || id, null, null,
      jsonb_build_object('event_id', id, 'aggregate_type', aggregate_type, 'aggregate_id', aggregate_id,
        'event_type', event_type, 'payload', payload, 'created_at', created_at),
      $5, retry_count, clock_timestamp(), $6)
    from gone`,
};

/** Gives events back that are still on this run's lease; a newer payload among them is due at once. */
const RELEASE: Statement = {
  name: 'm10bot_outbox_release',
  text: `update m10_recovery.outbox o set next_retry_at = null, processed_by = null
  where o.id = any($1::bigint[]) and o.processed_at is null and o.processed_by = $2`,
};

/**
 * Marks leased events delivered.
 * @returns the ids that were ours still
 */
export async function complete(
  database: Queryable,
  events: readonly Leased[],
  by: string,
): Promise<Set<string>> {
  return ids(await database.prepared(COMPLETE, [...keys(events), by]));
}

export interface Failed extends Leased {
  /** For people; cut and without secrets. */
  readonly error: string;
  /** Until the next try. */
  readonly delayMs: number;
}

/** Counts a failed try and sets the next one. @returns the ids that were ours still */
export async function fail(database: Queryable, events: readonly Failed[], by: string): Promise<Set<string>> {
  const errors = events.map(({ error }) => error);
  const delays = events.map(({ delayMs }) => delayMs / 1000);
  return ids(await database.prepared(FAIL, [...keys(events), by, errors, delays]));
}

/**
 * Puts an event into the archive of dead letters as `outbox:<id>` and takes it out of the outbox.
 * @returns false when it was not ours any more
 */
export async function bury(
  database: Queryable,
  event: Omit<Failed, 'delayMs'>,
  by: string,
): Promise<boolean> {
  const tries = event.event.failedTries + 1;
  const error = `Dead letter after ${tries} ${tries === 1 ? 'try' : 'tries'}: ${event.error}`;
  const rows = await database.prepared(BURY, [
    event.event.id,
    [event.version],
    by,
    error,
    `outbox: ${event.error}`,
    `outbox-processor:${by}`,
  ]);
  return rows.length > 0;
}

/** @param lease what `processed_by` holds on events of this run */
export async function release(
  database: Queryable,
  events: readonly { readonly event: { readonly id: string } }[],
  lease: string,
): Promise<void> {
  await database.prepared(RELEASE, [events.map(({ event }) => event.id), lease]);
}

function keys(events: readonly Leased[]): [string[], string[]] {
  return [events.map(({ event }) => event.id), [...new Set(events.map(({ version }) => version))]];
}

function ids(rows: readonly (readonly (string | null)[])[]): Set<string> {
  return new Set(rows.map((row) => row[0] ?? ''));
}
