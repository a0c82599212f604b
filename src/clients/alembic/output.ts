/** A step that Alembic announced. `from` is null where the history begins, `to` where a downgrade ends it. */
export interface RevisionStep {
  readonly direction: 'upgrade' | 'downgrade';
  readonly from: string | null;
  readonly to: string | null;
}

/** A revision as `alembic show` and `alembic history --verbose` print it. */
export interface RevisionEntry {
  readonly revision: string;
  /** Several for a merge, none for a base. */
  readonly parents: readonly string[];
  readonly path: string;
  readonly message: string;
}

/** The first token of each line: `022_m10_production_hardening (head)` names one revision. */
export function firstTokens(stdout: string): string[] {
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0] ?? '')
    .filter((token) => token !== '');
}

/**
 * The `Running upgrade A -> B` lines of stderr, or the comments of the same form in offline SQL. Alembic writes
 * the line before it runs the step: after a failure it was announced, not done.
 */
export function announcedSteps(text: string): RevisionStep[] {
  const line = /Running (upgrade|downgrade) (.*?) ?-> ?([^\s,]*)/g;
  return [...text.matchAll(line)].map(([, direction, from, to]) => ({
    direction: direction === 'downgrade' ? 'downgrade' : 'upgrade',
    from: from || null,
    to: to || null,
  }));
}

/** Reads the verbose listing, in its own order: the newest revision first. */
export function parseRevisionEntries(stdout: string): RevisionEntry[] {
  return stdout
    .split(/^(?=Rev: )/m)
    .filter((block) => block.startsWith('Rev: '))
    .map((block) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]?.trim() ?? '';
      const parents = (field('Merges') || field('Parent')).split(/,\s*/);
      return {
        revision: field('Rev').split(/\s+/)[0] ?? '',
        parents: parents.filter((parent) => parent !== '' && parent !== '<base>'),
        path: field('Path'),
        message: [...block.matchAll(/^ {4}(.*)$/gm)]
          .map(([, text]) => text?.trim() ?? '')
          .join('\n')
          .trim(),
      };
    });
}
