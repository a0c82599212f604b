import type { FunctionShape, SchemaShape, TableShape } from '../../clients/postgres/shape.js';
import type { ExpectedFunction, ExpectedTable, ObjectsArgs } from './expected.js';
import { resultColumns } from './result.js';
import { canonical, typeFits } from './types.js';

type Index = TableShape['indexes'][number];

/** Every way in which the database differs from what the runbook declares, one line each. */
export function differences(args: ObjectsArgs, shape: SchemaShape): string[] {
  return [
    ...Object.entries(args.tables).flatMap(([name, table]) => {
      const found = shape.tables.find((t) => t.name === name);
      if (found !== undefined) return tableDifferences(`table ${args.schema}.${name}`, table, found);
      const kind = otherKind(shape, name);
      return [
        kind === null
          ? `table ${args.schema}.${name} does not exist`
          : `${args.schema}.${name} is a ${kind}, expected a table`,
      ];
    }),
    ...Object.entries(args.functions).flatMap(([name, wanted]) =>
      functionDifferences(
        `function ${args.schema}.${name}(${wanted.arguments.join(', ')})`,
        wanted,
        shape.functions.filter((f) => f.name === name),
      ),
    ),
  ];
}

function tableDifferences(whole: string, table: ExpectedTable, found: TableShape): string[] {
  return [
    ...Object.entries(table.columns).flatMap(([column, wanted]) => {
      const is = found.columns.find((c) => c.name === column);
      if (is === undefined) return [`${whole} has no column ${column}`];
      const type = `${whole}: column ${column} is ${is.type}, expected ${wanted.type}`;
      const nullable = `${whole}: column ${column} may be null, expected not null`;
      return [
        ...(typeFits(wanted.type, is.type) ? [] : [type]),
        ...(wanted.notNull && !is.notNull ? [nullable] : []),
      ];
    }),
    ...primaryKeyDifferences(whole, table['primary-key'], found.primaryKey),
    ...table.unique.flatMap((key) => {
      const candidates = found.indexes.filter((i) => i.unique && i.valid && sameSet(i.columns, key.columns));
      if (candidates.some((i) => conditionOf(i.predicate) === conditionOf(key.where))) return [];
      const where = key.where === null ? '' : ` where ${key.where}`;
      const [other] = candidates;
      const instead = other === undefined ? '' : `; ${other.name} has ${sayCondition(other)}`;
      return [`${whole} has no unique key (${key.columns.join(', ')})${where}${instead}`];
    }),
    ...table.indexes.flatMap((wanted) => {
      const fitting = found.indexes.filter((i) => sameList(i.columns.slice(0, wanted.length), wanted));
      if (fitting.some((i) => i.valid)) return [];
      const [invalid] = fitting;
      return invalid === undefined
        ? [`${whole} has no index that begins with (${wanted.join(', ')})`]
        : [`${whole}: the index ${invalid.name} is invalid, as a failed CREATE INDEX CONCURRENTLY leaves it`];
    }),
  ];
}

function primaryKeyDifferences(
  whole: string,
  wanted: readonly string[] | undefined,
  is: readonly string[] | null,
): string[] {
  if (wanted === undefined || (is !== null && sameList(is, wanted))) return [];
  return is === null
    ? [`${whole} has no primary key, expected (${wanted.join(', ')})`]
    : [`${whole}: the primary key is (${is.join(', ')}), expected (${wanted.join(', ')})`];
}

function functionDifferences(
  signature: string,
  wanted: ExpectedFunction,
  found: readonly FunctionShape[],
): string[] {
  if (found.length === 0) return [`${signature} does not exist`];
  const fitting = found.find(
    (f) =>
      f.argumentTypes.length === wanted.arguments.length &&
      wanted.arguments.every((type, index) => typeFits(type, f.argumentTypes[index] ?? '')),
  );
  if (fitting === undefined) {
    const there = found.map((f) => `(${f.argumentTypes.join(', ')})`).join(' and ');
    return [`${signature} does not exist; there is one with arguments ${there}`];
  }
  const { returns } = wanted;
  if (typeof returns === 'string') {
    return typeFits(returns, fitting.result ?? '')
      ? []
      : [`${signature} returns ${fitting.result ?? 'nothing'}, expected ${canonical(returns)}`];
  }
  const columns = resultColumns(fitting.result ?? '');
  const entries = Object.entries(returns);
  // By name, as callers read them: a mapping has no order once it has been through the journal.
  const same =
    columns.length === entries.length &&
    entries.every(([column, type]) => columns.some((c) => c.name === column && typeFits(type, c.type)));
  return same
    ? []
    : [
        `${signature} returns ${fitting.result ?? 'nothing'}, expected TABLE(${entries
          .map(([column, type]) => `${column} ${type}`)
          .join(', ')})`,
      ];
}

/** Objects that should be gone, one line each, whatever they are by now. */
export function leftovers(args: ObjectsArgs, shape: SchemaShape): string[] {
  return [
    ...Object.keys(args.tables).flatMap((name) => {
      const kind = shape.tables.some((t) => t.name === name) ? 'table' : otherKind(shape, name);
      return kind === null ? [] : [`${kind} ${args.schema}.${name}`];
    }),
    ...shape.functions
      .filter((f) => Object.hasOwn(args.functions, f.name))
      .map((f) => `function ${args.schema}.${f.name}(${f.argumentTypes.join(', ')})`),
  ];
}

function otherKind(shape: SchemaShape, name: string): string | null {
  if (shape.views.some((v) => v.name === name)) return 'view';
  if (shape.materializedViews.some((v) => v.name === name)) return 'materialized view';
  if (shape.sequences.includes(name)) return 'sequence';
  return null;
}

/** PostgreSQL prints conditions with parentheses and casts of its own; what remains is compared. */
function conditionOf(condition: string | null): string | null {
  return condition === null
    ? null
    : condition
        .toLowerCase()
        .replace(/::[a-z ]+/g, '')
        .replace(/[()\s]+/g, ' ')
        .trim();
}

function sayCondition(index: Index): string {
  return index.predicate === null ? 'no condition' : `the condition ${index.predicate}`;
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return sameList([...a].sort(), [...b].sort());
}
