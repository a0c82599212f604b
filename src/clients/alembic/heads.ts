import type { ObservedScript } from './observed.js';
import type { ReportStep } from './report.js';

/**
 * The rows of the version table after steps that nothing has run yet, from the rows before them. A row that is
 * an ancestor of another one is none (https://alembic.sqlalchemy.org/en/latest/branches.html).
 */
export function headsAfter(
  before: readonly string[],
  steps: readonly ReportStep[],
  scripts: readonly ObservedScript[],
): string[] {
  const now = new Set(before);
  for (const step of steps) {
    for (const revision of step.from) now.delete(revision);
    for (const revision of step.to) now.add(revision);
  }
  const covered = ancestorsOf([...now], scripts);
  return [...now].filter((revision) => !covered.has(revision)).sort();
}

/** Everything that revisions build on, themselves left out unless one builds on another. */
export function ancestorsOf(
  revisions: readonly string[],
  scripts: readonly ObservedScript[],
): ReadonlySet<string> {
  const parents = new Map(scripts.map((s) => [s.revision, [...s.down, ...s.depends]]));
  const found = new Set<string>();
  const look = revisions.flatMap((r) => parents.get(r) ?? []);
  for (let revision = look.pop(); revision !== undefined; revision = look.pop()) {
    if (found.has(revision)) continue;
    found.add(revision);
    look.push(...(parents.get(revision) ?? []));
  }
  return found;
}
