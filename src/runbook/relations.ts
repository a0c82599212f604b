/**
 * What a step demands of the other steps of its runbook. Steps are held against each other when the runbook is read:
 * at the gate or in the middle of a run it would be too late.
 */
export interface Relations {
  /** Takes its target's database from these revisions to those, or shows what doing so would take. */
  readonly path?: {
    readonly how: 'upgrade' | 'downgrade' | 'plan';
    readonly from: readonly string[];
    readonly to: readonly string[];
  };
  /** Leaves a backup of its target for later steps. */
  readonly backsUp?: true;
  /** Whose backup it needs: a step, or `none` where that was decided; null where nothing is said. */
  readonly backup?: string | null;
}

/** A step at its place in a runbook, with its path in the file. */
export interface PlacedStep {
  readonly id: string;
  readonly target: string;
  /** Its block: phases come one after the other, every other block is a way of its own. */
  readonly block: { readonly kind: 'phase' | 'operation' | 'rollback'; readonly id: string };
  readonly path: readonly (string | number)[];
  /** null: its kind or its arguments cannot be read, so nothing is known of what it would do. */
  readonly relations: Relations | null;
}

export interface RelationProblem {
  readonly path: readonly (string | number)[];
  /** What is expected there. */
  readonly message: string;
}

type Move = PlacedStep & { readonly move: NonNullable<Relations['path']> };

/** The value of `backup` that says that none is wanted. */
export const noBackup = 'none';

/**
 * Holds the steps of a runbook against each other and against its migration.
 * @param migration the runbook's own way; null when it cannot be read
 */
export function relationProblems(
  migration: { readonly from: readonly string[]; readonly to: readonly string[] } | null,
  steps: readonly PlacedStep[],
): RelationProblem[] {
  const problems = steps.flatMap((step) => [...standingStill(step), ...backupProblems(step, steps)]);
  if (migration === null) return problems;
  if (same(migration.from, migration.to)) {
    return [
      ...problems,
      { path: ['migration', 'to'], message: 'expected another revision than migration.from' },
    ];
  }
  const { from, to } = migration;
  return [
    ...problems,
    ...ways(steps, 'phase').flatMap((way) => gaps(way, { from, to, of: 'the migration' })),
    ...ways(steps, 'rollback').flatMap((way) => gaps(way, { from: to, to: from, of: 'the way back' })),
  ];
}

function standingStill({ path, relations }: PlacedStep): RelationProblem[] {
  const move = relations?.path;
  if (move === undefined || !same(move.from, move.to)) return [];
  return [{ path: [...path, 'with', 'to'], message: 'expected another revision than with.from' }];
}

function backupProblems(step: PlacedStep, steps: readonly PlacedStep[]): RelationProblem[] {
  const wanted = step.relations?.backup;
  if (wanted === undefined || wanted === noBackup) return [];
  const path = [...step.path, 'with', 'backup'];
  const before = earlier(step, steps).filter((s) => s.target === step.target);
  // What cannot be read may be the very step; it has been told of already.
  if (before.some((s) => s.id === wanted && s.relations === null)) return [];
  const known = before.filter((s) => s.relations?.backsUp === true).map(({ id }) => id);
  if (wanted !== null && known.includes(wanted)) return [];
  const named = known.length === 0 ? '' : ` (${known.join(', ')})`;
  const message = `expected an earlier step that backs up ${step.target}${named}, or none where no backup is wanted`;
  return [{ path, message }];
}

/** Steps that have run when this one begins. */
function earlier(step: PlacedStep, steps: readonly PlacedStep[]): readonly PlacedStep[] {
  const own = (other: PlacedStep) => other.block.kind === step.block.kind && other.block.id === step.block.id;
  return steps.filter((other, index) =>
    other.block.kind === 'phase'
      ? step.block.kind !== 'phase' || index < steps.indexOf(step)
      : own(other) && index < steps.indexOf(step),
  );
}

/** The changes of revision of each target within phases, or within the rollback, in order. */
function ways(steps: readonly PlacedStep[], kind: 'phase' | 'rollback'): Move[][] {
  const own = steps.filter(({ block }) => block.kind === kind);
  return [...new Set(own.map(({ target }) => target))].flatMap((target) => {
    const here = own.filter((s) => s.target === target);
    // A step that cannot be read may be a part of the way.
    if (here.some((s) => s.relations === null)) return [];
    return [
      here.flatMap((s): Move[] => {
        const move = s.relations?.path;
        return move === undefined || move.how === 'plan' ? [] : [{ ...s, move }];
      }),
    ];
  });
}

/** Where a way does not begin, go on or end where it should: the first gap and the end. */
function gaps(
  way: readonly Move[],
  whole: { readonly from: readonly string[]; readonly to: readonly string[]; readonly of: string },
): RelationProblem[] {
  const problems: RelationProblem[] = [];
  let at = { revisions: whole.from, why: `where ${whole.of} begins` };
  for (const { id, target, path, move } of way) {
    if (!same(move.from, at.revisions) && problems.length === 0) {
      problems.push({
        path: [...path, 'with', 'from'],
        message: `expected ${at.revisions.join(', ')}, ${at.why}`,
      });
    }
    at = { revisions: move.to, why: `where step ${id} leaves ${target}` };
  }
  const last = way.at(-1);
  if (last !== undefined && !same(last.move.to, whole.to)) {
    problems.push({
      path: [...last.path, 'with', 'to'],
      message: `expected ${whole.to.join(', ')}, where ${whole.of} ends`,
    });
  }
  return problems;
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return [...a].sort().join() === [...b].sort().join();
}
