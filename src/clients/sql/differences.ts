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
  /** Executed, and not approved, or not so often. In the order of execution. */
  readonly notApproved: readonly B[];
  /** Approved, and not executed, or not so often. In the order of the approval. */
  readonly notExecuted: readonly A[];
  readonly moved: boolean;
}

/**
 * Compares two sequences of statements: each counts as often as it is there, and `moved` says whether those that are
 * in both come in another order. The sequences are equal exactly when there is nothing of all this. Takes as many
 * steps as there are statements.
 */
export function differences<A extends Comparable = ParsedStatement, B extends Comparable = ParsedStatement>(
  approved: readonly A[],
  executed: readonly B[],
): Differences<A, B> {
  const pairs = pairsOf(approved, executed);
  return { ...without(approved, executed, pairs), moved: !isInOrder(pairs) };
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
): Omit<Differences<A, B>, 'moved'> {
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

/** Pairs come in the order of execution. */
function isInOrder(pairs: readonly Pair[]): boolean {
  return pairs.every(({ approved }, index) => approved >= (pairs[index - 1]?.approved ?? 0));
}
