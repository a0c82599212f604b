import { z } from 'zod';
import type { Queryable } from '../postgres.js';
import type { NamesRead, OwnObjects } from '../sql/reading.js';

/** Objects up to this oid were made by initdb: FirstNormalObjectId of PostgreSQL's access/transam.h. */
const FIRST_OWN = 16_384;

/** Whether an object was made by this database's people: not by initdb, not by an extension. */
const own = (catalog: string, alias: string) =>
  `(${alias}.oid >= ${FIRST_OWN} and not exists (
     select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.${catalog}'::regclass
        and d.objid = ${alias}.oid and d.deptype = 'e'))`;

const Found = z.object({
  relations: z.array(z.object({ schema: z.string(), name: z.string(), what: z.string().nullable() })),
  functions: z.array(z.string()),
  operators: z.array(z.string()),
  types: z.array(z.string()),
  fields: z.array(z.string()),
  casts: z.boolean(),
});

/** Looks names of queries up, to tell whether reading them can run code of the database's own. */
export async function readOwnObjects(database: Queryable, names: NamesRead): Promise<OwnObjects> {
  const [found] = await database.rows(
    Found,
    `select
       (select coalesce(jsonb_agg(jsonb_build_object('schema', n.nspname, 'name', c.relname, 'what',
          case when not ${own('pg_class', 'c')} then null
               when c.relkind = 'v' then 'a view'
               when c.relkind not in ('r', 'p', 'm', 'S', 't') then 'a foreign table'
               when pg_catalog.row_security_active(c.oid) then 'under row security'
               when exists (
                 with recursive down(id) as (
                   select i.inhrelid from pg_catalog.pg_inherits i where i.inhparent = c.oid
                   union select i.inhrelid from pg_catalog.pg_inherits i join down on i.inhparent = down.id)
                 select from down join pg_catalog.pg_class f on f.oid = down.id where f.relkind = 'f')
               then 'with a foreign table below it' end)), '[]')
          from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where c.relname = any($1::text[]) and c.relkind not in ('i', 'I', 'c')) as relations,
       array(select distinct p.proname::text from pg_catalog.pg_proc p
              where p.proname = any($2::text[]) and ${own('pg_proc', 'p')}) as functions,
       array(select distinct o.oprname::text from pg_catalog.pg_operator o
              where o.oprname = any($3::text[]) and ${own('pg_operator', 'o')}) as operators,
       array(select distinct t.typname::text from pg_catalog.pg_type t
              where t.typname = any($4::text[]) and t.typtype <> 'e' and ${own('pg_type', 't')}) as types,
       array(select distinct p.proname::text from pg_catalog.pg_proc p
              join pg_catalog.pg_type t on t.oid = p.proargtypes[0]
              where p.proname = any($5::text[]) and p.pronargs >= 1 and t.typtype in ('c', 'p')
                and ${own('pg_proc', 'p')}) as fields,
       exists (select from pg_catalog.pg_cast k where k.castcontext = 'i' and k.castfunc >= ${FIRST_OWN}
                  and ${own('pg_cast', 'k')}) as casts`,
    [names.relations, names.functions, names.operators, names.types, names.fields],
  );
  if (found === undefined) throw new Error('a query without FROM returned no row');
  const { relations, casts } = found;
  return {
    relations,
    functions: new Set(found.functions),
    operators: new Set(found.operators),
    types: new Set(found.types),
    fields: new Set(found.fields),
    casts,
  };
}
