/** A node of the parse tree, or the fields of one. */
export type Node = Readonly<Record<string, unknown>>;

export function isNode(value: unknown): value is Node {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** A field that is a list; empty when it is not there. */
export function items(node: unknown, field: string): readonly unknown[] {
  const value = isNode(node) ? node[field] : undefined;
  return Array.isArray(value) ? value : [];
}

export function textOf(node: unknown, field: string): string | null {
  const value = isNode(node) ? node[field] : undefined;
  return typeof value === 'string' ? value : null;
}

/** `{ DeleteStmt: { … } }` as its type and its fields; null for fields without a type. */
export function unwrap(value: unknown): { readonly type: string; readonly node: Node } | null {
  if (!isNode(value)) return null;
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length !== 1 || first === undefined || !/^[A-Z]/.test(first[0]) || !isNode(first[1]))
    return null;
  return { type: first[0], node: first[1] };
}

/** The dotted name in a list of String nodes, or in a node that holds one (a type's, a function's). */
export function nameOf(value: unknown): string {
  if (Array.isArray(value))
    return value
      .map(nameOf)
      .filter((part) => part !== '')
      .join('.');
  const one = unwrap(value);
  if (one === null) return '';
  const { node } = one;
  return textOf(node, 'sval') ?? nameOf(node.items ?? node.objname ?? node.names ?? []);
}

/** The same with quotes around each part that needs them, so that `"a.b"` is not taken for b of the schema a. */
export function writtenName(parts: unknown): string {
  if (!Array.isArray(parts)) return nameOf(parts);
  return parts
    .map(nameOf)
    .map((part) => (/[".]|[A-Z]/.test(part) ? `"${part.replaceAll('"', '""')}"` : part))
    .join('.');
}

/** `schema.name` of a RangeVar. */
export function relationName(node: unknown): string {
  const schema = textOf(node, 'schemaname');
  const name = textOf(node, 'relname') ?? '';
  return schema === null ? name : `${schema}.${name}`;
}
