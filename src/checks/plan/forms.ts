import { normalFormOf, type Parser, sqlParser } from '../../clients/sql/parser.js';
import type { ParsedStatement } from '../../clients/sql/statement.js';
import { isNode, items, type Node, unwrap } from '../../clients/sql/tree.js';

/** The forms of one statement, from the strictest on. */
export interface Formed {
  readonly normalForm: string;
  /** Forms that it may have had when it was printed. */
  readonly otherForms: readonly string[];
  /** Equal for statements that differ in constants alone. Worked out when it is asked for: it takes a parse. */
  readonly shape: () => string;
}

/** An INSERT of several rows is several statements: drivers put the rows of a bulk insert together or apart. */
export async function formsOf(statement: ParsedStatement, otherForms: readonly string[]): Promise<Formed[]> {
  const parser = await sqlParser();
  const tree = treeOf(parser, statement.text);
  if (tree === null) {
    return [{ normalForm: statement.normalForm, otherForms, shape: () => statement.normalForm }];
  }
  const rows = rowsOf(tree);
  if (rows.length > 1) return rows.map((row) => formed(tree.type, row, []));
  const { shape, otherForms: uncast } = formed(tree.type, tree.node, []);
  return [{ normalForm: statement.normalForm, otherForms: [...otherForms, ...uncast], shape }];
}

/** The shape of a statement of which only the text is known. */
export async function shapeOfText(text: string, otherwise: string): Promise<() => string> {
  const parser = await sqlParser();
  return once(() => {
    const tree = treeOf(parser, text);
    return tree === null ? otherwise : normalFormOf(tree.type, mapped(tree.node, withoutConstant));
  });
}

function once<T>(work: () => T): () => T {
  let done: { readonly value: T } | null = null;
  return () => {
    done ??= { value: work() };
    return done.value;
  };
}

function treeOf(parser: Parser, text: string): { readonly type: string; readonly node: Node } | null {
  const parsed = parser.parse(text);
  const [raw] = parsed.kind === 'parsed' ? parsed.statements : [];
  return raw === undefined ? null : { type: raw.type, node: raw.node };
}

function formed(type: string, node: Node, otherForms: readonly string[]): Formed {
  return {
    normalForm: normalFormOf(type, node),
    otherForms: [...otherForms, normalFormOf(type, mapped(node, withoutCast))],
    shape: once(() => normalFormOf(type, mapped(node, withoutConstant))),
  };
}

/** Each row of `INSERT … VALUES (…), (…)` as an INSERT of its own; none where rows depend on each other. */
function rowsOf({ type, node }: { readonly type: string; readonly node: Node }): Node[] {
  if (
    type !== 'InsertStmt' ||
    node.onConflictClause !== undefined ||
    items(node, 'returningList').length > 0
  ) {
    return [];
  }
  const select = unwrap(node.selectStmt);
  if (select === null || select.type !== 'SelectStmt') return [];
  const lists = items(select.node, 'valuesLists');
  return lists.map((list) => ({
    ...node,
    selectStmt: { SelectStmt: { ...select.node, valuesLists: [list] } },
  }));
}

function mapped(node: Node, change: (value: Node) => unknown): Node {
  const each = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(each);
    if (!isNode(value)) return value;
    const changed = change(value);
    return changed !== value
      ? changed
      : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, each(v)]));
  };
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, each(value)]));
}

/** A driver writes the type behind a value (`'2026-01-01'::date`) where printed SQL has the value alone. */
function withoutCast(value: Node): unknown {
  const cast = unwrap(value);
  if (cast?.type !== 'TypeCast') return value;
  return unwrap(cast.node.arg)?.type === 'A_Const' ? cast.node.arg : value;
}

function withoutConstant(value: Node): unknown {
  const bare = withoutCast(value);
  return isNode(bare) && unwrap(bare)?.type === 'A_Const' ? { A_Const: {} } : value;
}
