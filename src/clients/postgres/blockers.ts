import { z } from 'zod';
import type { Queryable } from '../postgres.js';
import { shownName } from './activity.js';

const lockSchema = z.object({
  /** For instance AccessShareLock. */
  mode: z.string(),
  /** Schema-qualified where the search path needs it; null for locks on other things than relations. */
  relation: z.string().nullable(),
  /** relation, transactionid, tuple, advisory, … */
  type: z.string(),
});

const blockerSchema = z.object({
  pid: z.int(),
  applicationName: z.string(),
  user: z.string().nullable(),
  state: z.string().nullable(),
  transactionSeconds: z.number().nullable(),
  query: z.string().nullable(),
  /** The locks it holds on what the blocked session waits for. */
  holds: z.array(lockSchema),
  /** True when it waits as well: it stands in the queue in front. */
  waiting: z.boolean(),
});

const blockedSchema = z.object({
  pid: z.int(),
  applicationName: z.string(),
  query: z.string().nullable(),
  waitsFor: z.array(lockSchema),
  by: z.array(blockerSchema),
});

/** A session that waits for a lock, and the sessions in its way. */
export type BlockedSession = z.infer<typeof blockedSchema>;

export type BlockedTarget = { readonly pid: number } | { readonly applicationName: string };

const LOCK = `jsonb_build_object('mode', l.mode, 'relation', l.relation::regclass::text, 'type', l.locktype)`;

/**
 * Who stands in the way of a session, or of every session with an application name. A prepared transaction
 * has no session and shows with pid 0. pg_blocking_pids takes the lock manager's locks for a moment: ask it now
 * and then, not in a tight loop.
 */
export async function readBlockers(database: Queryable, target: BlockedTarget): Promise<BlockedSession[]> {
  return database.rows(
    blockedSchema,
    `with blocked as (
       select a.pid, a.application_name, a.query, pg_blocking_pids(a.pid) as blockers
         from pg_stat_activity a
        where a.datname = current_database() and (a.pid = $1 or a.application_name = $2)
     ), waiting as (
       select b.pid as blocked_pid, l.* from blocked b join pg_locks l on l.pid = b.pid and not l.granted
     )
     select b.pid, coalesce(b.application_name, '') as "applicationName", left(b.query, 300) as query,
            coalesce((select jsonb_agg(${LOCK}) from waiting l where l.blocked_pid = b.pid), '[]') as "waitsFor",
            (select jsonb_agg(jsonb_build_object(
                      'pid', p.pid, 'applicationName', coalesce(a.application_name, ''), 'user', a.usename,
                      'state', a.state, 'query', left(a.query, 300),
                      'transactionSeconds', extract(epoch from clock_timestamp() - a.xact_start)::float8,
                      'waiting', exists (select from pg_locks w where w.pid = p.pid and not w.granted),
                      'holds', coalesce((
                        select jsonb_agg(distinct ${LOCK})
                          from pg_locks l
                          join waiting w on w.blocked_pid = b.pid and l.locktype = w.locktype
                           and (l.database, l.relation, l.page, l.tuple, l.transactionid, l.virtualxid, l.classid,
                                l.objid, l.objsubid) is not distinct from
                               (w.database, w.relation, w.page, w.tuple, w.transactionid, w.virtualxid, w.classid,
                                w.objid, w.objsubid)
                         where l.pid = p.pid and l.granted), '[]'))
                    order by p.pid)
               from (select distinct unnest(b.blockers) as pid) p
               left join pg_stat_activity a on a.pid = p.pid) as by
       from blocked b
      where cardinality(b.blockers) > 0
      order by b.pid`,
    ['pid' in target ? target.pid : null, 'pid' in target ? null : shownName(target.applicationName)],
  );
}
