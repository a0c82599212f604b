import type { ParsedStatement } from './statement.js';

/** A statement that was sent: equal to an approved one when any of its forms is. */
export interface Comparable {
  readonly normalForm: string;
  /** Other trees that the same statement may have had before its values were bound. */
  readonly otherForms?: readonly string[];
}

export function sameStatement(a: Comparable, b: Comparable): boolean {
  const forms = new Set(formsOf(a));
  return formsOf(b).some((form) => forms.has(form));
}

export interface Differences<A, B> {
  /** Executed, and not approved, or not at this place. In the order of execution. */
  readonly notApproved: readonly B[];
  /** Approved, and not executed, or not at this place. In the order of the approval. */
  readonly notExecuted: readonly A[];
}

/**
 * Compares two sequences of statements, with order and multiplicity. Both lists are empty exactly when the
 * sequences are equal. A statement that moved is in both lists. Takes n log n steps.
 */
export function differences<A extends Comparable = ParsedStatement, B extends Comparable = ParsedStatement>(
  approved: readonly A[],
  executed: readonly B[],
): Differences<A, B> {
  return without(approved, executed, longestInOrder(pairsOf(approved, executed)));
}

/** The same without regard to order: each statement counts as often as it is there. */
export function surplus<A extends Comparable = ParsedStatement, B extends Comparable = ParsedStatement>(
  approved: readonly A[],
  executed: readonly B[],
): Differences<A, B> & { readonly moved: boolean } {
  const pairs = pairsOf(approved, executed);
  const moved = longestInOrder(pairs).length < pairs.length;
  return { ...without(approved, executed, pairs), moved };
}

interface Pair {
  readonly approved: number;
  readonly executed: number;
}

/** The n-th of equal statements is paired with the n-th on the other side. */
function pairsOf(approved: readonly Comparable[], executed: readonly Comparable[]): Pair[] {
  const places = new Map<string, number[]>();
  for (const [index, { normalForm }] of approved.entries()) {
    const list = places.get(normalForm);
    if (list === undefined) places.set(normalForm, [index]);
    else list.push(index);
  }
  const used = new Map<string, number>();
  const pairs: Pair[] = [];
  for (const [index, statement] of executed.entries()) {
    for (const form of formsOf(statement)) {
      const nth = used.get(form) ?? 0;
      const place = places.get(form)?.[nth];
      if (place === undefined) continue;
      used.set(form, nth + 1);
      pairs.push({ approved: place, executed: index });
      break;
    }
  }
  return pairs;
}

function without<A, B>(
  approved: readonly A[],
  executed: readonly B[],
  pairs: readonly Pair[],
): Differences<A, B> {
  const keptApproved = new Set(pairs.map((pair) => pair.approved));
  const keptExecuted = new Set(pairs.map((pair) => pair.executed));
  return {
    notApproved: executed.filter((_, index) => !keptExecuted.has(index)),
    notExecuted: approved.filter((_, index) => !keptApproved.has(index)),
  };
}

function formsOf({ normalForm, otherForms = [] }: Comparable): string[] {
  return [normalForm, ...otherForms];
}

/** The longest increasing subsequence by `approved`, by patience sorting. */
function longestInOrder<T extends { readonly approved: number }>(pairs: readonly T[]): T[] {
  const tops: number[] = [];
  const before: number[] = [];
  for (const [index, pair] of pairs.entries()) {
    let low = 0;
    let high = tops.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((pairs[tops[middle] ?? -1]?.approved ?? 0) < pair.approved) low = middle + 1;
      else high = middle;
    }
    before[index] = tops[low - 1] ?? -1;
    tops[low] = index;
  }
  const row: T[] = [];
  for (let at = tops.at(-1) ?? -1; at >= 0; at = before[at] ?? -1) {
    const pair = pairs[at];
    if (pair !== undefined) row.push(pair);
  }
  return row.reverse();
}
