import { z } from 'zod';
import {
  readActivity,
  readLongTransactions,
  readRunningDumps,
  type Session,
} from '../clients/postgres/activity.js';
import { placeName } from '../clients/postgres/revision.js';
import type { Queryable } from '../clients/postgres.js';
import type { TargetConfig } from '../config.js';
import { Duration } from '../runbook/definition.js';
import { defineKind, type StepKind } from '../runbook/step-kind.js';
import type { StepDeps } from './deps.js';
import { failed, table as inColumns, passed, spoken } from './outcome.js';
import { checkOver } from './session.js';

const Args = z.strictObject({
  /** A transaction older than this is a problem, ms. */
  'max-transaction-age': Duration.default(60_000),
});

// A row lock shows as ROW SHARE on its table: any lock but a plain reader's holds the upgrade up.
const versionLocksSql = `select l.pid, l.mode
from pg_locks l join pg_database d on d.oid = l.database and d.datname = current_database()
where l.relation = to_regclass($1) and l.granted and l.mode <> 'AccessShareLock'
  and l.pid is distinct from pg_backend_pid()`;
const preparedSql = `select gid, extract(epoch from clock_timestamp() - prepared)::float8 as seconds
from pg_prepared_xacts where database = current_database()`;

/** Nobody may be in the way of the change: a lock on the version table blocks an upgrade, a dump every change. */
export function postgresActivity(deps: Pick<StepDeps, 'revisions'>): StepKind<TargetConfig> {
  return defineKind({
    name: 'postgres.activity',
    changes: false,
    args: Args,
    describe: (args, { target }) => ({
      words: `Make sure that nobody on ${target.name} is in the way: no transaction older than ${spoken(
        args['max-transaction-age'],
      )}, no running dump, no lock on the version table.`,
      commands: [
        'SELECT … FROM pg_stat_activity WHERE datname = current_database()',
        'SELECT … FROM pg_locks WHERE relation = the version table',
      ],
    }),
    run: (args, context) =>
      checkOver(context, 'activity', async (database) => {
        const limit = args['max-transaction-age'];
        const table = placeName(await deps.revisions.placeOf(context.target));
        const { problems, sessions, hidden } = await look(database, limit / 1_000, table);
        const { name } = context.target;
        const output = [
          ...(sessions.length === 0 ? [] : [listing(sessions)]),
          ...(hidden === 0
            ? []
            : [`${hidden} sessions of other roles cannot be seen by this role; grant it pg_read_all_stats.`]),
        ].join('\n');
        if (problems.length > 0) return failed(`${name} is busy: ${problems.join('; ')}`, { output });
        return passed(
          `nobody is in the way on ${name}: no transaction older than ${spoken(limit)}, no dump, no lock on ${table}${
            hidden === 0 ? '' : ` (${hidden} sessions not visible)`
          }`,
          { output },
        );
      }),
  });
}

async function look(database: Queryable, seconds: number, table: string) {
  const all = await readActivity(database);
  const old = await readLongTransactions(database, seconds);
  const dumps = await readRunningDumps(database);
  const Lock = z.object({ pid: z.int().nullable(), mode: z.string() });
  const locks = await database.rows(Lock, versionLocksSql, [table]);
  const Prepared = z.object({ gid: z.string(), seconds: z.number() });
  const prepared = await database.rows(Prepared, preparedSql);
  const named = new Set([...dumps.map((s) => s.pid), ...locks.map((l) => l.pid)]);
  const holders = locks.flatMap((l) => all.filter((s) => s.pid === l.pid));
  const problems = [
    ...dumps.map((s) => `a dump is running (${who(s)}) and holds a lock on every table`),
    ...locks.map((l) => {
      const session = all.find((s) => s.pid === l.pid);
      const holder = session === undefined ? `session ${l.pid ?? 'of a prepared transaction'}` : who(session);
      return `${holder} holds ${l.mode} on ${table}, behind which an upgrade waits`;
    }),
    ...old
      .filter((s) => !named.has(s.pid))
      .map((s) => `${who(s)} has had a transaction open for ${spoken((s.transactionSeconds ?? 0) * 1_000)}`),
    ...prepared
      .filter((p) => p.seconds > seconds)
      .map((p) => `the prepared transaction ${p.gid} is ${spoken(p.seconds * 1_000)} old`),
  ];
  const sessions = [...new Map([...dumps, ...holders, ...old].map((s) => [s.pid, s])).values()];
  return { problems, sessions, hidden: all.filter((s) => s.hidden).length };
}

/** `session 4711 "psql" of alice` */
export function who(session: Pick<Session, 'pid' | 'applicationName' | 'user'>): string {
  const application = session.applicationName === '' ? '' : ` "${session.applicationName}"`;
  return `session ${session.pid}${application} of ${session.user ?? 'an unknown role'}`;
}

function listing(sessions: readonly Session[]): string {
  return inColumns([
    ['pid', 'role', 'application', 'address', 'state', 'transaction', 'query'],
    ...sessions.map((s) => [
      String(s.pid),
      s.user ?? '?',
      s.applicationName,
      s.clientAddress ?? 'local',
      s.state ?? '?',
      s.transactionSeconds === null ? '-' : spoken(s.transactionSeconds * 1_000),
      (s.query ?? '?').replace(/\s+/g, ' '),
    ]),
  ]);
}
