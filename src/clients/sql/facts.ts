import { carriesOut, effectsOfNode } from './effects.js';
import { lastingOf } from './lasting.js';
import { createdBy, droppedBy } from './objects.js';
import {
  type Effect,
  effectOrder,
  type NamedObject,
  type RelationUse,
  type StatementFacts,
} from './statement.js';
import { isNode, items, type Node, textOf, unwrap, writtenName } from './tree.js';

/** Fields that hold what a statement acts on; a relation anywhere else is read. */
const acted = new Set(['relation', 'relations', 'rel', 'view', 'sequence', 'typevar']);
/** Fields that hold a node of one type without saying so. */
const typed: Readonly<Record<string, string>> = {
  larg: 'SelectStmt',
  rarg: 'SelectStmt',
  intoClause: 'IntoClause',
  base: 'CreateStmt',
};
const relationKinds = new Set(['table', 'view', 'materialized view', 'sequence', 'index', 'foreign table']);

/** Statements that carry out the calls in them. In all others a call is a definition, such as a column's default. */
const evaluates = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
  'CopyStmt',
  'DoStmt',
  'CallStmt',
  'ExplainStmt',
  'CreateTableAsStmt',
  'DeclareCursorStmt',
]);

interface Found {
  readonly effects: Set<Effect>;
  readonly relations: RelationUse[];
  readonly functions: Set<string>;
  readonly operators: Set<string>;
  readonly types: Set<string>;
  readonly fields: Set<string>;
  readonly lasting: Set<string>;
  readonly created: NamedObject[];
  readonly dropped: NamedObject[];
  readonly common: Set<string>;
  concurrent: boolean;
}

/** Reads a statement's tree. */
export function factsOf(type: string, node: Node): StatementFacts {
  const found: Found = {
    effects: new Set(),
    relations: [],
    functions: new Set(),
    operators: new Set(),
    types: new Set(),
    fields: new Set(),
    lasting: new Set(),
    created: [],
    dropped: [],
    common: new Set(),
    concurrent: false,
  };
  visit(found, type, node, true);
  const effects = effectOrder.filter((effect) => found.effects.has(effect));
  const strong = effects.filter((effect) => effect !== 'reads');
  return {
    effect: effects[0] ?? 'opaque',
    effects: strong.length > 0 ? strong : effects,
    node: type,
    // A name that WITH defines is no relation of the database, unless it is changed.
    relations: unique(
      found.relations.filter((r) => r.changed || r.schema !== null || !found.common.has(r.name)),
    ),
    functions: [...found.functions],
    hidden: {
      operators: [...found.operators],
      types: [...found.types],
      fields: [...found.fields],
      common: [...found.common],
    },
    lasting: evaluates.has(type) ? [...found.lasting] : [],
    created: found.created,
    dropped: found.dropped,
    concurrent: found.concurrent,
    transaction:
      type === 'TransactionStmt'
        ? (textOf(node, 'kind') ?? '')
            .replace(/^TRANS_STMT_/, '')
            .toLowerCase()
            .replaceAll('_', ' ')
        : null,
  };
}

function visit(found: Found, type: string, node: Node, runs: boolean): void {
  if (runs) {
    for (const effect of effectsOfNode(type, node)) found.effects.add(effect);
    for (const lasting of lastingOf(type, node)) found.lasting.add(lasting);
    found.created.push(...createdBy(type, node));
    for (const dropped of droppedBy(type, node)) {
      found.dropped.push(dropped);
      if (relationKinds.has(dropped.kind)) found.relations.push(relationNamed(dropped.name));
    }
    if (node.concurrent === true || hasOption(node, 'concurrently')) found.concurrent = true;
  }
  named(found, type, node);
  const below = runs && carriesOut(type, node);
  for (const [field, value] of Object.entries(node)) descend(found, type, field, value, runs, below);
}

/** What a node names that may be, or run, a function. */
function named(found: Found, type: string, node: Node): void {
  switch (type) {
    case 'FuncCall':
      found.functions.add(writtenName(node.funcname));
      break;
    case 'CommonTableExpr':
      found.common.add(textOf(node, 'ctename') ?? '');
      break;
    case 'A_Expr':
      for (const name of operatorsOf(node)) found.operators.add(name);
      break;
    case 'SubLink':
      if (node.operName !== undefined) found.operators.add(writtenName(node.operName));
      break;
    case 'SortBy':
      if (node.useOp !== undefined) found.operators.add(writtenName(node.useOp));
      break;
    case 'ColumnRef':
      if (items(node, 'fields').length > 1) addLast(found.fields, items(node, 'fields'));
      break;
    case 'A_Indirection':
      for (const one of items(node, 'indirection')) addLast(found.fields, [one]);
      break;
  }
}

function operatorsOf(node: Node): string[] {
  const between = textOf(node, 'kind')?.includes('BETWEEN') === true;
  return between ? ['<', '>', '<=', '>='] : [writtenName(node.name)];
}

function addLast(names: Set<string>, parts: readonly unknown[]): void {
  const last = textOf(unwrap(parts.at(-1))?.node, 'sval');
  if (last !== null) names.add(last);
}

function descend(
  found: Found,
  owner: string,
  field: string,
  value: unknown,
  runs: boolean,
  below: boolean,
): void {
  if (Array.isArray(value)) {
    for (const one of value) descend(found, owner, field, one, runs, below);
    return;
  }
  if (!isNode(value)) return;
  if (field === 'typeName') found.types.add(writtenName(value.names));
  const wrapped = unwrap(value);
  const node = wrapped?.node ?? value;
  if (typeof node.relname === 'string' && (wrapped === null || wrapped.type === 'RangeVar')) {
    const changed =
      runs && acted.has(field) && !['LockStmt', 'VacuumRelation', 'CommentStmt'].includes(owner);
    found.relations.push({ schema: textOf(node, 'schemaname'), name: node.relname, changed });
    return;
  }
  const type = wrapped?.type ?? (Object.hasOwn(typed, field) ? typed[field] : undefined) ?? 'fields';
  visit(found, type, node, below);
}

function hasOption(node: Node, name: string): boolean {
  return items(node, 'params').some((option) => textOf(unwrap(option)?.node, 'defname') === name);
}

function relationNamed(full: string): RelationUse {
  const parts = full.split('.');
  return { schema: parts.at(-2) ?? null, name: parts.at(-1) ?? full, changed: true };
}

function unique(relations: readonly RelationUse[]): RelationUse[] {
  const seen = new Map<string, RelationUse>();
  for (const relation of relations) {
    const key = JSON.stringify([relation.schema, relation.name]);
    const before = seen.get(key);
    if (before === undefined || (relation.changed && !before.changed)) seen.set(key, relation);
  }
  return [...seen.values()];
}
