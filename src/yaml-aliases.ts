import { type Alias, type Document, isNode, type Node, visit } from 'yaml';

/** How often aliases may repeat what their anchors hold, aliases in there counted; the library's own measure. */
export const mostAliases = 100;

/** What is wrong with an alias, and where: an offset in the text. */
export interface AliasMistake {
  readonly offset: number;
  readonly message: string;
}

/** Aliases that lead nowhere, or into themselves: a value without an end, over which every reader would hang. */
export function aliasMistakes(doc: Document): AliasMistake[] {
  const found: AliasMistake[] = [];
  eachAlias(doc, (alias) => {
    const meant = alias.resolve(doc);
    if (meant === undefined) {
      const message = `expected an anchor &${alias.source} before this alias, found none`;
      found.push({ offset: startOf(alias), message });
    } else if (startOf(meant) <= startOf(alias) && startOf(alias) < endOf(meant)) {
      const message = `the alias *${alias.source} stands within its own anchor, so it would have no end`;
      found.push({ offset: startOf(alias), message });
    }
  });
  return found;
}

/** The anchor that is repeated the most, in a document that the library has refused for it, at its first alias. */
export function oversized(doc: Document): AliasMistake {
  const known = new Map<Node, number>();
  const anchors = new Map<string, { offset: number; times: number }>();
  eachAlias(doc, (alias) => {
    const meant = alias.resolve(doc);
    const { offset, times } = anchors.get(alias.source) ?? { offset: startOf(alias), times: 0 };
    const more = 1 + (meant === undefined ? 0 : aliasesIn(meant, doc, known));
    anchors.set(alias.source, { offset, times: times + more });
  });
  const [[source, { offset, times }] = ['', { offset: 0, times: 0 }]] = [...anchors].sort(
    ([, a], [, b]) => b.times - a.times,
  );
  const message = `aliases of &${source} would be followed ${times.toLocaleString('en-US')} times, those inside of it counted; at most ${mostAliases} are. Write the values out`;
  return { offset, message };
}

function aliasesIn(node: Node, doc: Document, known: Map<Node, number>): number {
  const before = known.get(node);
  if (before !== undefined) return before;
  let count = 0;
  visit(node, {
    Alias(_, alias) {
      const meant = alias.resolve(doc);
      count += 1 + (meant === undefined ? 0 : aliasesIn(meant, doc, known));
    },
  });
  known.set(node, count);
  return count;
}

function eachAlias(doc: Document, look: (alias: Alias) => void): void {
  visit(doc, { Alias: (_, alias) => look(alias) });
}

const startOf = (node: unknown): number => (isNode(node) ? (node.range?.[0] ?? 0) : 0);
const endOf = (node: unknown): number => (isNode(node) ? (node.range?.[1] ?? 0) : 0);
