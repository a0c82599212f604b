import { differences } from '../../clients/sql/differences.js';
import type { Told } from './executed.js';
import { createTurns } from './turns.js';

/** How what was executed differs from what was approved, each statement as often as it occurs. */
export interface Compared {
  /** Nothing like them was approved. */
  readonly strange: readonly Told[];
  /** Approved, and executed more often than that. */
  readonly repeated: readonly {
    readonly statement: Told;
    readonly executed: number;
    readonly approved: number;
  }[];
  /** Approved with other values. */
  readonly otherValues: readonly Told[];
  readonly missing: readonly Told[];
  readonly moved: boolean;
}

/**
 * Approved is what the printed SQL has, and what an earlier target executed: each statement as often as the one that
 * has it more often.
 * @param before null: nothing was executed before
 */
export async function compared(
  printed: readonly Told[],
  before: readonly Told[] | null,
  executed: readonly Told[],
): Promise<Compared> {
  const base = before ?? printed;
  // By the forms of what was printed, which has more of them than what was kept of the earlier target.
  const further = before === null ? [] : differences(before, printed).notApproved;
  const { notApproved, notExecuted, moved } = differences([...base, ...further], executed);
  const furtherOnes = new Set(further);
  const values = await byValues(
    notApproved,
    notExecuted.filter((s) => !furtherOnes.has(s)),
    [...base, ...further],
  );
  return {
    ...values,
    repeated: timesOf(values.repeated, executed),
    moved: moved && isMoved(base, executed) && (before === null || isMoved(printed, executed)),
  };
}

function isMoved(approved: readonly Told[], executed: readonly Told[]): boolean {
  return differences(approved, executed).moved;
}

/** Statements that are equal but for constants are told together, and the one takes the place of the other. */
async function byValues(beyond: readonly Told[], missing: readonly Told[], approved: readonly Told[]) {
  const forms = new Set(approved.map((s) => s.normalForm));
  const isKnown = (s: Told) => [s.normalForm, ...s.otherForms].some((form) => forms.has(form));
  const repeated = beyond.filter(isKnown);
  const others = beyond.filter((s) => !isKnown(s));
  if (others.length === 0) return { strange: [], repeated, otherValues: [], missing };
  const shapes = new Set(await shapesOf(approved));
  const own = await shapesOf(others);
  const left = new Map<string, number>();
  for (const shape of own) if (shapes.has(shape)) left.set(shape, (left.get(shape) ?? 0) + 1);
  return {
    strange: others.filter((_, index) => !shapes.has(own[index] ?? '')),
    repeated,
    otherValues: others.filter((_, index) => shapes.has(own[index] ?? '')),
    missing: missing.filter(({ shape }) => {
      const replaced = left.get(shape()) ?? 0;
      left.set(shape(), replaced - 1);
      return replaced <= 0;
    }),
  };
}

async function shapesOf(statements: readonly Told[]): Promise<string[]> {
  const turn = createTurns();
  const shapes: string[] = [];
  for (const { shape } of statements) {
    await turn();
    shapes.push(shape());
  }
  return shapes;
}

function timesOf(repeated: readonly Told[], executed: readonly Told[]): Compared['repeated'] {
  const times = countsOf(executed);
  return [...countsOf(repeated)].map(([form, { statement, count }]) => {
    const all = times.get(form)?.count ?? count;
    return { statement, executed: all, approved: all - count };
  });
}

function countsOf(statements: readonly Told[]) {
  const counts = new Map<string, { statement: Told; count: number }>();
  for (const statement of statements) {
    const entry = counts.get(statement.normalForm);
    if (entry === undefined) counts.set(statement.normalForm, { statement, count: 1 });
    else entry.count += 1;
  }
  return counts;
}
