import { z } from 'zod';
import type { Queryable } from '../postgres.js';

const columnSchema = z.object({
  name: z.string(),
  /** As format_type writes it: `character varying(32)`, `timestamp with time zone`. */
  type: z.string(),
  notNull: z.boolean(),
  /** The expression, identity or null. */
  default: z.string().nullable(),
});

const indexSchema = z.object({
  name: z.string(),
  /** Key columns and expressions in order, without INCLUDE columns. */
  columns: z.array(z.string()),
  unique: z.boolean(),
  primary: z.boolean(),
  /** The name of the constraint it serves, or null: ON CONFLICT ON CONSTRAINT takes constraints only. */
  constraint: z.string().nullable(),
  /** The WHERE of a partial index. */
  predicate: z.string().nullable(),
  /** False after a CREATE INDEX CONCURRENTLY that failed. */
  valid: z.boolean(),
  method: z.string(),
});

const foreignKeySchema = z.object({
  name: z.string(),
  columns: z.array(z.string()),
  references: z.string(),
  referencedColumns: z.array(z.string()),
  definition: z.string(),
});

const tableSchema = z.object({
  name: z.string(),
  columns: z.array(columnSchema),
  primaryKey: z.array(z.string()).nullable(),
  indexes: z.array(indexSchema),
  foreignKeys: z.array(foreignKeySchema),
  checks: z.array(z.object({ name: z.string(), definition: z.string() })),
  triggers: z.array(z.object({ name: z.string(), definition: z.string(), enabled: z.boolean() })),
});

const functionSchema = z.object({
  name: z.string(),
  /** Of the IN and INOUT arguments, in order. */
  argumentNames: z.array(z.string().nullable()),
  argumentTypes: z.array(z.string()),
  /** How many of the last arguments have defaults. */
  defaults: z.int(),
  /** As pg_get_function_result writes it: `boolean`, `TABLE(event_id bigint, …)`. */
  result: z.string().nullable(),
  kind: z.enum(['function', 'procedure', 'aggregate', 'window']),
});

const viewSchema = z.object({ name: z.string(), columns: z.array(columnSchema) });

const shapeSchema = z.object({
  exists: z.boolean(),
  tables: z.array(tableSchema),
  functions: z.array(functionSchema),
  views: z.array(viewSchema),
  materializedViews: z.array(viewSchema.extend({ populated: z.boolean() })),
  sequences: z.array(z.string()),
  types: z.array(z.string()),
});

/** What a schema is made of, each list ordered by name; columns in their own order. */
export type SchemaShape = z.infer<typeof shapeSchema>;
export type TableShape = z.infer<typeof tableSchema>;
export type FunctionShape = z.infer<typeof functionSchema>;

const COLUMNS = `(select coalesce(jsonb_agg(jsonb_build_object(
      'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull,
      'default', case when a.attidentity <> '' then 'identity' else pg_get_expr(d.adbin, d.adrelid) end)
      order by a.attnum), '[]')
    from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
   where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)`;

const INDEXES = `(select coalesce(jsonb_agg(jsonb_build_object(
      'name', ic.relname, 'unique', i.indisunique, 'primary', i.indisprimary, 'valid', i.indisvalid,
      'constraint', k.conname, 'predicate', pg_get_expr(i.indpred, i.indrelid, true), 'method', am.amname,
      'columns', (select jsonb_agg(coalesce(a.attname::text, pg_get_indexdef(i.indexrelid, n::int, true)) order by n)
                    from generate_series(1, i.indnkeyatts) n
                    left join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[n - 1]
                     and i.indkey[n - 1] <> 0)) order by ic.relname), '[]')
    from pg_index i join pg_class ic on ic.oid = i.indexrelid join pg_am am on am.oid = ic.relam
    left join pg_constraint k on k.conindid = i.indexrelid and k.conrelid = c.oid and k.contype in ('p', 'u', 'x')
   where i.indrelid = c.oid)`;

const names = (keys: string, relation: string) => `(select jsonb_agg(a.attname order by u.n)
    from unnest(${keys}) with ordinality u(attnum, n)
    join pg_attribute a on a.attrelid = ${relation} and a.attnum = u.attnum)`;

const TABLE = `jsonb_build_object('name', c.relname, 'columns', ${COLUMNS}, 'indexes', ${INDEXES},
  'primaryKey', (select ${names('k.conkey', 'c.oid')} from pg_constraint k
                  where k.conrelid = c.oid and k.contype = 'p'),
  'foreignKeys', (select coalesce(jsonb_agg(jsonb_build_object('name', k.conname,
      'columns', ${names('k.conkey', 'k.conrelid')}, 'references', k.confrelid::regclass::text,
      'referencedColumns', ${names('k.confkey', 'k.confrelid')},
      'definition', pg_get_constraintdef(k.oid, true)) order by k.conname), '[]')
    from pg_constraint k where k.conrelid = c.oid and k.contype = 'f'),
  'checks', (select coalesce(jsonb_agg(jsonb_build_object('name', k.conname,
      'definition', pg_get_constraintdef(k.oid, true)) order by k.conname), '[]')
    from pg_constraint k where k.conrelid = c.oid and k.contype = 'c'),
  'triggers', (select coalesce(jsonb_agg(jsonb_build_object('name', t.tgname,
      'definition', pg_get_triggerdef(t.oid, true), 'enabled', t.tgenabled <> 'D') order by t.tgname), '[]')
    from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal))`;

const FUNCTION = `jsonb_build_object('name', p.proname, 'defaults', p.pronargdefaults,
  'argumentTypes', (select coalesce(jsonb_agg(format_type(u.type, null) order by u.n), '[]')
                      from unnest(p.proargtypes::oid[]) with ordinality u(type, n)),
  'argumentNames', (select coalesce(jsonb_agg(nullif(u.name, '') order by u.n), '[]')
                      from unnest(p.proargnames, p.proargmodes) with ordinality u(name, mode, n)
                     where coalesce(u.mode, 'i') in ('i', 'b', 'v')),
  'result', pg_get_function_result(p.oid),
  'kind', case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' when 'w' then 'window'
                         else 'function' end)`;

const relations = (
  kinds: string,
  object: string,
) => `(select coalesce(jsonb_agg(${object} order by c.relname), '[]')
    from pg_class c where c.relnamespace = s.oid and c.relkind in (${kinds}))`;

const VIEW = `jsonb_build_object('name', c.relname, 'columns', ${COLUMNS}, 'populated', c.relispopulated)`;

/**
 * Reads the shape of a schema from the catalog, in one statement and so in one snapshot. A schema that is
 * missing has `exists: false` and empty lists.
 */
export async function readShape(database: Queryable, schema: string): Promise<SchemaShape> {
  const [row] = await database.rows(
    z.object({ shape: shapeSchema }),
    `select jsonb_build_object('exists', true,
       'tables', ${relations("'r', 'p'", TABLE)},
       'views', ${relations("'v'", VIEW)},
       'materializedViews', ${relations("'m'", VIEW)},
       'sequences', ${relations("'S'", 'to_jsonb(c.relname)')},
       'functions', (select coalesce(jsonb_agg(${FUNCTION} order by p.proname, p.proargtypes::text), '[]')
                       from pg_proc p where p.pronamespace = s.oid),
       'types', (select coalesce(jsonb_agg(t.typname order by t.typname), '[]') from pg_type t
                  where t.typnamespace = s.oid and t.typtype in ('e', 'd', 'r'))) as shape
     from pg_namespace s where s.nspname = $1`,
    [schema],
  );
  return row?.shape ?? ABSENT;
}

const ABSENT: SchemaShape = {
  exists: false,
  tables: [],
  functions: [],
  views: [],
  materializedViews: [],
  sequences: [],
  types: [],
};
