import { z } from 'zod';
import type { Queryable } from '../../clients/postgres.js';
import type { JobResult } from '../job.js';
import { createHostGuard } from './hosts.js';
import type { Router } from './route.js';

const Group = z.object({
  type: z.string(),
  origin: z.string().nullable(),
  due: z.number(),
  waiting: z.number(),
});
type Group = z.infer<typeof Group>;

const MOST_GROUPS = 50;

/** What a run would deliver now, and where to. Changes nothing. */
export async function preview(
  database: Queryable,
  router: Router,
  allow: readonly string[],
): Promise<JobResult> {
  // An event also waits when an earlier one of its aggregate does. User and password are cut from URLs.
  const groups = await database.rows(
    Group,
    `with pending as (
       select event_type, payload, exists (
           select 1 from m10_recovery.outbox e
            where e.processed_at is null and e.next_retry_at > now()
              and e.aggregate_type = o.aggregate_type and e.aggregate_id = o.aggregate_id
              and (e.created_at, e.id) <= (o.created_at, o.id)) as waits
         from m10_recovery.outbox o where processed_at is null)
     select event_type as type,
            case when event_type like 'http:%' or event_type like 'webhook:%' then
              regexp_replace(substring(coalesce(payload->>'url', payload->>'webhook_url')
                from '^[A-Za-z]+://[^/?#]*'), '//.*@', '//') end as origin,
            (count(*) filter (where not waits))::float8 as due,
            (count(*) filter (where waits))::float8 as waiting
       from pending group by 1, 2 order by 3 desc, 1, 2`,
  );
  const due = sum(groups, ({ due }) => due);
  const waiting = sum(groups, ({ waiting }) => waiting);
  const guard = createHostGuard(allow);
  const lines = groups.slice(0, MOST_GROUPS).map((group) => {
    const later = group.waiting === 0 ? '' : `, ${group.waiting} later`;
    return `${group.type}: ${group.due} now${later}, to ${whereTo(group, router, guard.refuseUrl)}`;
  });
  if (groups.length > MOST_GROUPS) lines.push(`and ${groups.length - MOST_GROUPS} more kinds`);
  return {
    summary: `Would deliver ${due} ${due === 1 ? 'event' : 'events'} now; ${waiting} wait for their next try. Nothing was changed.`,
    counts: { due, waiting },
    output: lines.join('\n'),
  };
}

function whereTo(group: Group, router: Router, refuse: (url: URL) => string | null): string {
  const route = router.route(group.type);
  switch (route.kind) {
    case 'local':
      return 'a handler in this process';
    case 'handler':
      return 'url' in route.handler
        ? addressed(route.handler.url, refuse)
        : `the program ${route.handler.argv[0]}`;
    case 'http':
    case 'webhook':
      return group.origin === null ? 'nowhere: the payload has no URL' : addressed(group.origin, refuse);
    case 'notify':
      return 'Slack';
    case 'unknown':
      return 'nobody: no handler has this type';
  }
}

function addressed(url: string, refuse: (url: URL) => string | null): string {
  if (!URL.canParse(url)) return 'nowhere: the payload has no URL';
  const parsed = new URL(url);
  const refused = refuse(parsed);
  return refused === null ? parsed.host : `nowhere: ${refused}`;
}

function sum(groups: readonly Group[], of: (group: Group) => number): number {
  return groups.reduce((all, group) => all + of(group), 0);
}
