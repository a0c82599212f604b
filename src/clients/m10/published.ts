import { z } from 'zod';
import type { Queryable } from '../postgres.js';

type Gaps = readonly (readonly [number, number])[];

/** How far the outbox has been counted. Of one table: `table` changes with a restore and with a new table. */
export interface PublishedMark {
  readonly table: string;
  /** Every id up to here has been counted, but for `gaps`. */
  readonly high: number;
  /**
   * Ids below `high` that were not there: of transactions that came later than younger ones, which a later read
   * finds, or that were rolled back, which nobody finds. First and last of each, oldest first.
   */
  readonly gaps: Gaps;
}

export interface Published {
  readonly mark: PublishedMark;
  /** New since the mark. */
  readonly events: readonly {
    readonly aggregateType: string;
    readonly eventType: string;
    readonly count: number;
  }[];
}

/** Gaps that are looked at again; the oldest go first. A sequence may skip, but not often. */
const mostGaps = 200;

const Kinds = z.object({
  high: z.number().nullable(),
  events: z
    .array(z.object({ aggregateType: z.string(), eventType: z.string(), count: z.number() }))
    .nullable(),
});

/** Which table the outbox is: the database and the table in it; null when there is none. */
export async function outboxTable(database: Queryable): Promise<string | null> {
  const rows = await database.rows(
    z.object({ table: z.string().nullable() }),
    `select d.oid::text || '/' || to_regclass('m10_recovery.outbox')::oid::text as table
       from pg_database d where d.datname = current_database()`,
  );
  return rows[0]?.table ?? null;
}

/**
 * Where counting begins: behind the newest row, with the kinds of the newest rows, each with none so far.
 * @throws the driver's error when there is no outbox
 */
export async function publishedHead(database: Queryable, table: string): Promise<Published> {
  const [row] = await database.rows(
    Kinds,
    `with newest as (select id, aggregate_type, event_type from m10_recovery.outbox order by id desc limit 1000)
     select (select max(id)::float8 from newest) as high,
            (select json_agg(json_build_object('aggregateType', aggregate_type, 'eventType', event_type, 'count', 0))
               from (select distinct aggregate_type, event_type from newest) as kind) as events`,
  );
  return { mark: { table, high: row?.high ?? 0, gaps: [] }, events: row?.events ?? [] };
}

/**
 * Counts the rows that are new since a mark. Rows may be processed meanwhile, and nothing is counted twice; a
 * row is missed only when it is deleted before it is read, and the retention keeps rows for days.
 * @throws the driver's error when there is no outbox
 */
export async function publishedSince(database: Queryable, mark: PublishedMark): Promise<Published> {
  const firsts = mark.gaps.map(([first]) => first);
  const lasts = mark.gaps.map(([, last]) => last);
  const late = await database.rows(
    z.object({ id: z.number(), aggregateType: z.string(), eventType: z.string() }),
    `select o.id::float8 as id, o.aggregate_type as "aggregateType", o.event_type as "eventType"
       from unnest($1::bigint[], $2::bigint[]) as gap (first, last)
       join m10_recovery.outbox o on o.id between gap.first and gap.last
      order by o.id`,
    [firsts, lasts],
  );
  const [row] = await database.rows(
    Kinds.extend({ gaps: z.array(z.tuple([z.number(), z.number()])).nullable() }),
    `with fresh as materialized (
       select id, aggregate_type, event_type, lag(id, 1, $1::bigint) over (order by id) as before
         from m10_recovery.outbox where id > $1::bigint)
     select (select max(id)::float8 from fresh) as high,
            (select json_agg(json_build_object('aggregateType', aggregate_type, 'eventType', event_type, 'count', n))
               from (select aggregate_type, event_type, count(*) as n from fresh group by 1, 2) as kind) as events,
            (select json_agg(json_build_array(before + 1, id - 1) order by id)
               from fresh where id - before > 1) as gaps`,
    [mark.high],
  );
  const left = late.reduce<Gaps>((gaps, { id }) => without(gaps, id), mark.gaps);
  return {
    mark: {
      table: mark.table,
      high: row?.high ?? mark.high,
      gaps: [...left, ...(row?.gaps ?? [])].slice(-mostGaps),
    },
    events: [...late.map((event) => ({ ...event, count: 1 })), ...(row?.events ?? [])],
  };
}

/** Takes an id out of the gap that it lies in. */
function without(gaps: Gaps, id: number): Gaps {
  return gaps.flatMap(([first, last]): Gaps => {
    if (id < first || id > last) return [[first, last]];
    const before: Gaps = id > first ? [[first, id - 1]] : [];
    return [...before, ...(id < last ? ([[id + 1, last]] satisfies Gaps) : [])];
  });
}
