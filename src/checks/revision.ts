import type { RevisionTable } from '../clients/postgres/revision.js';

/** The query by which a revision is read, as it is shown to people. */
export const revisionQuery = 'SELECT version_num FROM alembic_version';

/** `022_…`, `no revision`, or `several heads at once (…)`. */
export function sayRevision(stored: RevisionTable): string {
  switch (stored.kind) {
    case 'none':
      return 'no revision';
    case 'at':
      return stored.revision;
    case 'several':
      return `several heads at once (${stored.revisions.join(', ')})`;
  }
}

export function isAt(stored: RevisionTable, revision: string): boolean {
  return stored.kind === 'at' && stored.revision === revision;
}
