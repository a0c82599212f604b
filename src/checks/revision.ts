import type { RevisionTable } from '../clients/postgres/revision.js';

/** The revisions of the version table, sorted; none when it is empty or not there. */
export function revisionsIn(stored: RevisionTable): readonly string[] {
  switch (stored.kind) {
    case 'none':
      return [];
    case 'at':
      return [stored.revision];
    case 'several':
      return stored.revisions;
  }
}

/** `022_…`, `no revision`, or `b and c` for a database with several heads. */
export function sayRevision(stored: RevisionTable): string {
  return sayRevisions(revisionsIn(stored));
}

export function sayRevisions(revisions: readonly string[]): string {
  if (revisions.length === 0) return 'no revision';
  if (revisions.length === 1) return revisions[0] ?? '';
  return `${revisions.slice(0, -1).join(', ')} and ${revisions.at(-1)}`;
}

/** For the name of a file and the data of a step; null when there is none. */
export function revisionLabel(stored: RevisionTable): string | null {
  return stored.kind === 'none' ? null : sayRevision(stored);
}

/** Whether the version table has exactly these rows. */
export function isAt(stored: RevisionTable, revisions: string | readonly string[]): boolean {
  const wanted = typeof revisions === 'string' ? [revisions] : revisions;
  const found = revisionsIn(stored);
  return found.length === wanted.length && wanted.every((revision) => found.includes(revision));
}
