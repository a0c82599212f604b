import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { repositoryRoot } from '../services/tools.js';
import type { BackendVariant } from './variants.js';

/** Where and what to lay out. */
export type LayoutOptions = {
  /** Made when missing. What an earlier layout left there is replaced, its git history kept. */
  readonly directory: string;
  readonly variant?: BackendVariant;
  /** How long the variant `slow` sleeps, in seconds, unless M10_BACKEND_SLEEP says otherwise at run time. */
  readonly sleepSeconds?: number;
};

/**
 * Lays out a self-contained copy of the sample backend in a git repository and commits it, as a deploy would.
 * A second call on the same directory is the next deploy: new content, one more commit.
 *
 * @returns the directory and the commit's full hash, which depends on nothing but the content and its history
 * @throws when git is missing or the directory cannot be written
 */
export async function layoutBackend(options: LayoutOptions): Promise<{ directory: string; commit: string }> {
  const { directory, variant = 'good', sleepSeconds } = options;
  await mkdir(directory, { recursive: true });
  await removeOldTree(directory);
  await copyTree(join(await sources(), 'project'), directory);
  if (variant !== 'good') await copyTree(join(await sources(), 'variants', variant), directory);
  if (sleepSeconds !== undefined) await setSleep(directory, sleepSeconds);
  await git(directory, ['init', '--quiet', '--initial-branch=main']);
  return { directory, commit: await commitBackend(directory, `Deploy the backend, variant ${variant}`) };
}

/**
 * Commits whatever stands in a laid-out directory, also when nothing changed.
 *
 * @returns the commit's full hash
 */
export async function commitBackend(directory: string, message: string): Promise<string> {
  await git(directory, ['add', '--all']);
  await git(directory, ['commit', '--quiet', '--allow-empty', '--message', message]);
  return git(directory, ['rev-parse', 'HEAD']);
}

/** The SQL that creates a `distributed_locks` of the wrong shape in a database that is at 021. */
export async function wrongShapedLocksSql(): Promise<string> {
  return readFile(join(await sources(), 'project/migrations/wrong_shaped_locks.sql'), 'utf8');
}

/** The folder with the project's files, also for the compiled layout, beside which they are not. */
async function sources(): Promise<string> {
  return join(await repositoryRoot(), 'workspace', 'backend');
}

async function removeOldTree(directory: string): Promise<void> {
  const entries = await readdir(directory);
  // A directory that is not a former layout is somebody else's: emptying it could not be undone.
  if (entries.length > 0 && !(entries.includes('.git') && entries.includes('alembic.ini'))) {
    throw new Error(`${directory} is not empty and holds no sample backend; choose an empty directory`);
  }
  const old = entries.filter((entry) => entry !== '.git');
  await Promise.all(old.map((entry) => rm(join(directory, entry), { recursive: true })));
}

async function copyTree(from: string, to: string): Promise<void> {
  const leftOver = new Set(['__pycache__', '.pytest_cache']);
  await cp(from, to, { recursive: true, filter: (path) => !leftOver.has(basename(path)) });
}

async function setSleep(directory: string, seconds: number): Promise<void> {
  const file = join(directory, 'alembic.ini');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace(/^m10_sleep_seconds = .*$/m, `m10_sleep_seconds = ${seconds}`));
}

async function git(directory: string, args: readonly string[]): Promise<string> {
  // Fixed names and dates, and none of the user's settings, hooks or signing.
  const date = '2025-12-09T00:00:00Z';
  const { stdout } = await execa('git', args, {
    cwd: directory,
    env: {
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'Sample Backend',
      GIT_AUTHOR_EMAIL: 'backend@example.test',
      GIT_AUTHOR_DATE: date,
      GIT_COMMITTER_NAME: 'Sample Backend',
      GIT_COMMITTER_EMAIL: 'backend@example.test',
      GIT_COMMITTER_DATE: date,
    },
  });
  return stdout;
}
