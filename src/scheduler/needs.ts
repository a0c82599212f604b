import { z } from 'zod';
import { lockCalls } from '../clients/m10/locks.js';
import { attempt, SQLSTATE } from '../clients/postgres/failure.js';
import type { Queryable } from '../clients/postgres.js';
import type { JobNeeds } from './job.js';

const schema = 'm10_recovery';

/** What every job needs for its lock. */
export const lockNeeds: JobNeeds = {
  tables: { distributed_locks: ['lock_name', 'holder_id', 'acquired_at', 'expires_at', 'metadata'] },
  calls: lockCalls,
  privileges: { distributed_locks: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] },
};

const privilege = z.enum(['SELECT', 'INSERT', 'UPDATE', 'DELETE']);

const Found = z.object({
  role: z.string(),
  /** null: there is no such schema. */
  usage: z.boolean().nullable(),
  relations: z.record(z.string(), z.object({ columns: z.array(z.string()), may: z.array(privilege) })),
  functions: z.array(
    z.object({
      name: z.string(),
      types: z.string(),
      may: z.boolean(),
      /** Runs with the rights of its owner, so that the caller needs none on the tables. */
      definer: z.boolean(),
    }),
  ),
});
type Found = z.infer<typeof Found>;

const LOOK = `select current_user::text as role,
  (select has_schema_privilege(n.oid, 'USAGE') from pg_namespace n where n.nspname = $1) as usage,
  (select coalesce(jsonb_object_agg(c.relname, jsonb_build_object(
      'columns', (select coalesce(jsonb_agg(a.attname), '[]') from pg_attribute a
                   where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
      'may', (select coalesce(jsonb_agg(p), '[]') from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p
               where has_table_privilege(c.oid, p)))), '{}')
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname = any($2) and c.relkind in ('r', 'p', 'v', 'm')) as relations,
  (select coalesce(jsonb_agg(jsonb_build_object('name', p.proname, 'definer', p.prosecdef,
      'may', has_function_privilege(p.oid, 'EXECUTE'),
      'types', pg_get_function_identity_arguments(p.oid))), '[]')
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = $1 and p.proname = any($3)) as functions`;

/**
 * What of the target's schema is not there yet for each of these jobs, or not as it must be: one line each. A job
 * with no line may start. Tables are looked at by their columns, for a table of the right name may have the wrong
 * shape. Of a call, PostgreSQL itself is asked whether it resolves, and whether the role may make it: types differ
 * between releases of the backend, arguments have defaults, and only the server knows what fits.
 */
export async function missingNeeds(
  database: Queryable,
  needs: readonly JobNeeds[],
): Promise<readonly (readonly string[])[]> {
  const all = [lockNeeds, ...needs];
  const relations = all.flatMap((need) => [...Object.keys(need.tables), ...Object.keys(need.privileges)]);
  const functions = all.flatMap((need) => Object.keys(need.calls));
  const [found] = await database.rows(Found, LOOK, [
    schema,
    [...new Set(relations)],
    [...new Set(functions)],
  ]);
  if (found === undefined) throw new Error('the catalog gave no answer');
  const calls = found.usage === true ? await problemsOfCalls(database, found, all) : new Map();
  return needs.map((need) => missing(found, calls, need));
}

/** What is wrong with a call. */
interface CallProblem {
  readonly line: string;
  /** It may be told of its tables already. */
  readonly ofTables: boolean;
}

/** By the statement. */
type Calls = ReadonlyMap<string, CallProblem | null>;

function missing(found: Found, calls: Calls, needs: JobNeeds): string[] {
  if (found.usage === null) return [`schema ${schema}: it is not there`];
  if (!found.usage) return [`schema ${schema}: role ${found.role} may not use it (GRANT USAGE)`];
  const lines = [lockNeeds, needs].flatMap((need) => {
    const tables = Object.entries(need.tables).flatMap(([name, columns]) =>
      missingColumns(found, name, columns),
    );
    const problems = Object.values(need.calls).flatMap((sql) => calls.get(sql) ?? []);
    return [
      ...tables,
      ...problems.filter(({ ofTables }) => !ofTables || tables.length === 0).map(({ line }) => line),
      ...Object.entries(need.privileges).flatMap(([name, wanted]) => missingRights(found, name, wanted)),
    ];
  });
  return [...new Set(lines)];
}

function missingColumns(found: Found, name: string, columns: readonly string[]): string[] {
  const relation = found.relations[name];
  if (relation === undefined) return [`${schema}.${name}: it is not there`];
  const absent = columns.filter((column) => !relation.columns.includes(column));
  return absent.length === 0 ? [] : [`${schema}.${name}: it has no column ${absent.join(', ')}`];
}

async function problemsOfCalls(
  database: Queryable,
  found: Found,
  needs: readonly JobNeeds[],
): Promise<Calls> {
  const told = new Map<string, CallProblem | null>();
  for (const [name, sql] of needs.flatMap((need) => Object.entries(need.calls))) {
    if (!told.has(sql)) told.set(sql, await problemOfCall(database, found, name, sql));
  }
  return told;
}

/** Parses, resolves and plans the statement as the job would send it, and executes nothing. */
async function problemOfCall(
  database: Queryable,
  found: Found,
  name: string,
  sql: string,
): Promise<CallProblem | null> {
  const told = (text: string, ofTables = false) => ({ line: `${schema}.${name}: ${text}`, ofTables });
  const named = found.functions.filter((candidate) => candidate.name === name);
  if (named.length === 0) return told('it is not there');
  const count = Math.max(0, ...[...sql.matchAll(/\$(\d+)/g)].map(([, n]) => Number(n)));
  const values = count === 0 ? '' : `(${Array(count).fill('null').join(', ')})`;
  const tried = await attempt(async () => {
    await database.query(`prepare m10bot_need as ${sql}`);
    await database.query(`explain execute m10bot_need${values}`);
    await database.query('deallocate m10bot_need');
  });
  if (tried.kind === 'ok') return null;
  if (tried.kind === 'connection_lost') throw new Error(tried.message);
  await forget(database);
  switch (tried.code) {
    case SQLSTATE.insufficientPrivilege:
      return named.some((each) => each.may)
        ? null
        : told(`role ${found.role} may not call it (GRANT EXECUTE)`);
    case SQLSTATE.undefinedTable:
    case SQLSTATE.undefinedColumn:
      return told(`the job cannot call it: ${tried.message}`, true);
    default: {
      const there = named.map((each) => `${name}(${each.types})`).join(' and ');
      return told(`the job cannot call it: ${tried.message}; there is ${there}`);
    }
  }
}

/** A prepared statement outlives the failure of what came after it. */
async function forget(database: Queryable): Promise<void> {
  await attempt(() => database.query('deallocate m10bot_need'));
}

function missingRights(found: Found, name: string, wanted: readonly z.infer<typeof privilege>[]): string[] {
  const relation = found.relations[name];
  if (relation === undefined) return [];
  // Functions that run as their owner take locks for a role that has no rights on the table itself.
  const locks = Object.keys(lockNeeds.calls);
  if (name === 'distributed_locks' && found.functions.some((f) => locks.includes(f.name) && f.definer)) {
    return [];
  }
  const absent = wanted.filter((right) => !relation.may.includes(right));
  return absent.length === 0
    ? []
    : [`${schema}.${name}: role ${found.role} lacks ${absent.join(', ')} (GRANT ${absent.join(', ')})`];
}
