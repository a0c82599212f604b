import { builtInName, inCatalog } from './built-in.js';
import type { NamedObject, StatementFacts } from './statement.js';

/** Names in statements, to be looked up in the database that they were sent to. */
export interface NamesRead {
  readonly relations: readonly string[];
  readonly functions: readonly string[];
  readonly operators: readonly string[];
  readonly types: readonly string[];
  /** Names of columns that may be functions of a row. */
  readonly fields: readonly string[];
}

/** A relation of the database; `what` is null when reading it runs nobody's code. */
export interface FoundRelation {
  readonly schema: string;
  readonly name: string;
  /** In words, such as `a view`. */
  readonly what: string | null;
}

/** What a database has by these names that PostgreSQL itself and its extensions did not bring. */
export interface OwnObjects {
  /** Those of PostgreSQL and of extensions, too. */
  readonly relations: readonly FoundRelation[];
  readonly functions: ReadonlySet<string>;
  readonly operators: ReadonlySet<string>;
  readonly types: ReadonlySet<string>;
  readonly fields: ReadonlySet<string>;
  /** There are implicit casts by functions of its own, which any comparison may run. */
  readonly casts: boolean;
}

/** What the statements themselves made or dropped: a look afterwards does not find it. */
export interface Touched {
  readonly tables: ReadonlySet<string>;
  /** Views, functions and whatever else runs code when it is read. */
  readonly others: ReadonlySet<string>;
}

const inert = new Set([
  'column',
  'constraint',
  'index',
  'sequence',
  'schema',
  'statistics',
  'trigger',
  'role',
]);

export function touchedBy(statements: readonly StatementFacts[]): Touched {
  const tables = new Set<string>();
  const others = new Set<string>();
  const add = ({ kind, name }: NamedObject) => {
    const last = name.split('.').at(-1) ?? name;
    if (kind === 'table') tables.add(last);
    else if (!inert.has(kind)) others.add(last);
  };
  for (const { created, dropped } of statements) [...created, ...dropped].forEach(add);
  return { tables, others };
}

/** Whether a statement may do more than its words: those of other kinds do what they say, and are told anyway. */
export function isQuery({ effect, node }: StatementFacts): boolean {
  const plain = effect === 'reads' || effect === 'locks' || effect === 'session';
  return plain && ['SelectStmt', 'ExplainStmt', 'CopyStmt', 'DeclareCursorStmt'].includes(node ?? '');
}

export function namesOf(statements: readonly StatementFacts[]): NamesRead {
  const all = (names: (statement: StatementFacts) => readonly (string | null)[]) => [
    ...new Set(statements.flatMap(names).filter((name) => name !== null)),
  ];
  return {
    relations: all(({ relations, hidden }) => [...relations.map(({ name }) => name), ...hidden.common]),
    functions: all(({ functions }) => functions.map(builtInName)),
    operators: all(({ hidden }) => hidden.operators.map(inCatalog)),
    types: all(({ hidden }) => hidden.types.map(lastPart)),
    fields: all(({ hidden }) => hidden.fields),
  };
}

/**
 * Why a query may do more than read: a view or a function of the project can change rows from within a SELECT.
 * @param own null: the database could not be asked, so that the text alone has to prove it
 * @returns null when it only reads
 */
export function beyondReading(
  statement: StatementFacts,
  own: OwnObjects | null,
  touched: Touched,
): string | null {
  const { functions, hidden, relations } = statement;
  const first = <T>(all: readonly T[], why: (one: T) => string | null) =>
    all.map(why).find((reason) => reason !== null) ?? null;
  return (
    first(functions, (name) => functionProblem(name, own, touched)) ??
    first(hidden.operators, (name) => operatorProblem(name, own)) ??
    first(hidden.types, (name) => typeProblem(name, own, touched)) ??
    first(hidden.fields, (name) =>
      own?.fields.has(name) === true ? `may call the database's own function ${name}` : null,
    ) ??
    first(relations, ({ schema, name }) => relationProblem({ schema, name, required: true }, own, touched)) ??
    first(hidden.common, (name) => relationProblem({ schema: null, name, required: false }, own, touched)) ??
    (own?.casts === true && relations.length > 0 ? 'may run an implicit cast of the database' : null)
  );
}

function functionProblem(written: string, own: OwnObjects | null, touched: Touched): string | null {
  const name = builtInName(written);
  if (name === null) return `calls ${written}`;
  if (own?.functions.has(name) === true || touched.others.has(name)) {
    return `calls ${written}, and the database has its own ${name}`;
  }
  return null;
}

function operatorProblem(written: string, own: OwnObjects | null): string | null {
  const name = inCatalog(written);
  return name === null || own?.operators.has(name) === true
    ? `uses the database's own operator ${written}`
    : null;
}

const plainTypes = new Set(
  'bool bpchar bytea char date float4 float8 inet int2 int4 int8 interval json jsonb name numeric oid oidvector regclass regnamespace regproc regprocedure regrole regtype text time timestamp timestamptz timetz uuid varchar xml'.split(
    ' ',
  ),
);

/** A cast to a domain runs the domain's checks. */
function typeProblem(written: string, own: OwnObjects | null, touched: Touched): string | null {
  const bare = inCatalog(written);
  const last = lastPart(written);
  // Types are found by name alone, those of pg_catalog first: a table called `name` is no other `name`.
  if (bare !== null && plainTypes.has(bare)) return null;
  const unclear = own === null || own.types.has(last);
  return unclear || touched.others.has(last) ? `casts to the database's own type ${written}` : null;
}

interface Reading {
  readonly schema: string | null;
  readonly name: string;
  /** It must be known to be there. */
  readonly required: boolean;
}

function relationProblem(
  { schema, name, required }: Reading,
  own: OwnObjects | null,
  touched: Touched,
): string | null {
  const full = schema === null ? name : `${schema}.${name}`;
  if (touched.others.has(name)) return `reads ${full}, made or dropped by the migration and no plain table`;
  if (own === null) {
    const system = schema === 'pg_catalog' || schema === 'information_schema';
    return system || !required ? null : `reads ${full}, which could not be looked up`;
  }
  const meant = own.relations.filter(
    (one) => one.name === name && (schema === null || one.schema === schema),
  );
  const odd = meant.find(({ what }) => what !== null);
  if (odd !== undefined) return `reads ${full}, ${odd.what}`;
  const known = meant.length > 0 || touched.tables.has(name);
  return known || !required ? null : `reads ${full}, which is not there any more`;
}

function lastPart(written: string): string {
  return (
    /"((?:[^"]|"")*)"$/.exec(written)?.[1]?.replaceAll('""', '"') ?? written.split('.').at(-1) ?? written
  );
}
