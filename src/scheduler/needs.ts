import { z } from 'zod';
import type { Queryable } from '../clients/postgres.js';
import type { JobNeeds } from './job.js';

const schema = 'm10_recovery';

/** What every job needs for its lock. Types differ between releases of the backend, so both are fine. */
export const lockNeeds: JobNeeds = {
  tables: { distributed_locks: ['lock_name', 'holder_id', 'acquired_at', 'expires_at', 'metadata'] },
  functions: {
    acquire_lock: ['text | character varying', 'text | character varying', 'integer'],
    extend_lock: ['text | character varying', 'text | character varying', 'integer'],
    release_lock: ['text | character varying', 'text | character varying'],
  },
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
      types: z.array(z.string()),
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
      'types', (select coalesce(jsonb_agg(format_type(u.type, null) order by u.n), '[]')
                  from unnest(p.proargtypes::oid[]) with ordinality u(type, n)))), '[]')
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = $1 and p.proname = any($3)) as functions`;

/**
 * What of the target's schema is not there yet for each of these jobs, or not as it must be: one line each, in
 * one query. A job with no line may start. Looks at shapes, for a table of the right name may have the wrong one.
 */
export async function missingNeeds(
  database: Queryable,
  needs: readonly JobNeeds[],
): Promise<readonly (readonly string[])[]> {
  const all = [lockNeeds, ...needs];
  const relations = all.flatMap((need) => [...Object.keys(need.tables), ...Object.keys(need.privileges)]);
  const functions = all.flatMap((need) => Object.keys(need.functions));
  const [found] = await database.rows(Found, LOOK, [
    schema,
    [...new Set(relations)],
    [...new Set(functions)],
  ]);
  if (found === undefined) throw new Error('the catalog gave no answer');
  return needs.map((need) => missing(found, need));
}

function missing(found: Found, needs: JobNeeds): string[] {
  if (found.usage === null) return [`schema ${schema}: it is not there`];
  if (!found.usage) return [`schema ${schema}: role ${found.role} may not use it (GRANT USAGE)`];
  const lines = [lockNeeds, needs].flatMap((need) => [
    ...Object.entries(need.tables).flatMap(([name, columns]) => missingColumns(found, name, columns)),
    ...Object.entries(need.functions).flatMap(([name, types]) => missingFunction(found, name, types)),
    ...Object.entries(need.privileges).flatMap(([name, wanted]) => missingRights(found, name, wanted)),
  ]);
  return [...new Set(lines)];
}

function missingColumns(found: Found, name: string, columns: readonly string[]): string[] {
  const relation = found.relations[name];
  if (relation === undefined) return [`${schema}.${name}: it is not there`];
  const absent = columns.filter((column) => !relation.columns.includes(column));
  return absent.length === 0 ? [] : [`${schema}.${name}: it has no column ${absent.join(', ')}`];
}

function missingFunction(found: Found, name: string, types: readonly string[]): string[] {
  const signature = `${schema}.${name}(${types.map((type) => type.split(' | ')[0]).join(', ')})`;
  const named = found.functions.filter((candidate) => candidate.name === name);
  if (named.length === 0) return [`${signature}: it is not there`];
  const fitting = named.find(
    (candidate) =>
      candidate.types.length === types.length &&
      types.every((type, i) => type.split(' | ').includes(candidate.types[i] ?? '')),
  );
  if (fitting === undefined) {
    return [
      `${signature}: there is only ${named.map((f) => `${name}(${f.types.join(', ')})`).join(' and ')}`,
    ];
  }
  return fitting.may ? [] : [`${signature}: role ${found.role} may not call it (GRANT EXECUTE)`];
}

function missingRights(found: Found, name: string, wanted: readonly z.infer<typeof privilege>[]): string[] {
  const relation = found.relations[name];
  if (relation === undefined) return [];
  // Functions that run as their owner take locks for a role that has no rights on the table itself.
  const locks = Object.keys(lockNeeds.functions);
  if (name === 'distributed_locks' && found.functions.some((f) => locks.includes(f.name) && f.definer)) {
    return [];
  }
  const absent = wanted.filter((right) => !relation.may.includes(right));
  return absent.length === 0
    ? []
    : [`${schema}.${name}: role ${found.role} lacks ${absent.join(', ')} (GRANT ${absent.join(', ')})`];
}
