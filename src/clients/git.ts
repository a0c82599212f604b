import { lastWords, readingId } from './process/ids.js';
import type { Processes } from './process.js';

export interface DirtyFile {
  /** Two letters as `git status` has them (`.M`, `A.`), `??` for an untracked file, `UU` for a conflict. */
  readonly status: string;
  /** From the root of the repository. */
  readonly path: string;
}

export type GitResult =
  | {
      readonly kind: 'repository';
      /** The full hash of HEAD; null before the first commit. */
      readonly commit: string | null;
      /** Null when HEAD is detached, as after most deploys. */
      readonly branch: string | null;
      /** What differs from the commit below the directory. Ignored files don't count. */
      readonly dirty: readonly DirtyFile[];
    }
  | { readonly kind: 'no_repository' }
  | { readonly kind: 'failed'; readonly evidence: string };

export interface GitOptions {
  readonly processes: Processes;
  /** Names the output folder. */
  readonly id: string;
  readonly directory: string;
  /** PATH at least. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Reads which commit a directory is at, and what in it was changed by hand. */
export async function readGit(options: GitOptions): Promise<GitResult> {
  const result = await options.processes.run({
    id: readingId(options.id, 'git'),
    argv: [
      'git',
      // The operators named this folder, whoever owns it, and run its code; git shall still start nothing of it.
      ...['-c', 'safe.directory=*', '-c', 'core.fsmonitor=false'],
      ...['status', '--porcelain=v2', '--branch', '--untracked-files=all', '-z', '--', '.'],
    ],
    cwd: options.directory,
    // The messages in English, and no index lock that could meet a deploy.
    env: { ...options.env, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0' },
    timeoutMs: options.timeoutMs ?? 20_000,
    maxOutputBytes: 4 * 1_024 * 1_024,
  });
  if (result.kind !== 'exited') return { kind: 'failed', evidence: `${result.kind}: ${lastWords(result)}` };
  if (result.exitCode === 0) return parseStatus(result.stdout);
  if (/not a git repository/.test(result.stderr)) return { kind: 'no_repository' };
  return { kind: 'failed', evidence: lastWords(result) };
}

/** Reads `git status --porcelain=v2 --branch -z`: https://git-scm.com/docs/git-status */
export function parseStatus(output: string): GitResult & { kind: 'repository' } {
  let commit: string | null = null;
  let branch: string | null = null;
  const dirty: DirtyFile[] = [];
  const entries = output.split('\0').values();
  for (const entry of entries) {
    const [kind = '', second = ''] = entry.split(' ');
    if (entry.startsWith('# branch.oid ')) {
      commit = entry.endsWith('(initial)') ? null : entry.slice('# branch.oid '.length);
    } else if (entry.startsWith('# branch.head ')) {
      branch = entry.endsWith('(detached)') ? null : entry.slice('# branch.head '.length);
    } else if (kind === '1' || kind === '2' || kind === 'u') {
      // The path is the last field and may itself hold spaces; a rename brings its old path as the next entry.
      const fields = kind === '1' ? 8 : kind === '2' ? 9 : 10;
      dirty.push({ status: second, path: entry.split(' ').slice(fields).join(' ') });
      if (kind === '2') entries.next();
    } else if (kind === '?') {
      dirty.push({ status: '??', path: entry.slice(2) });
    }
  }
  return { kind: 'repository', commit, branch, dirty };
}
