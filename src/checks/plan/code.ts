import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { readGit } from '../../clients/git.js';
import type { TargetConfig } from '../../config.js';
import type { StepDeps } from '../deps.js';
import { keepManifest } from './manifest.js';

/** Which code a migration comes from. */
export interface CodeState {
  /** Over the names and contents of the project's files, whatever git says of them. */
  readonly digest: string;
  /** null: the folder is in no git repository, or there is no commit yet. */
  readonly commit: string | null;
  /** Files that differ from the commit. */
  readonly dirty: readonly string[];
  /** Why not every file is in the digest; null when each one is. */
  readonly partial: string | null;
}

export type CodeResult =
  | { readonly kind: 'read'; readonly code: CodeState }
  | { readonly kind: 'failed'; readonly why: string };

/** Written by programs while they run or test; none of it is code, and some of it changes by the minute. */
const skipped = new Set([
  '.git',
  '__pycache__',
  'node_modules',
  '.venv',
  'venv',
  '.tox',
  '.nox',
  '.pytest_cache',
  '.mypy_cache',
  '.ruff_cache',
]);
// Not compiled files beside their source: Python loads one without a source all the same.
const noise = /\.(log|pid|sock|swp|tmp)$|~$/;

/** A folder with more than this is no project: the digest then covers its beginning, and says so. */
const mostFiles = 20_000;
const mostBytes = 512 * 1_024 * 1_024;

/** Reads the code as it lies in a target's folder now, symbolic links followed. */
export async function readCode(
  deps: Pick<StepDeps, 'processes' | 'config' | 'workDirectory'>,
  target: TargetConfig,
): Promise<CodeResult> {
  const { directory } = target;
  // Where the bot writes while a block runs, should that be below the code.
  const own = await Promise.all([deps.config.backups.directory, dirname(deps.workDirectory)].map(real));
  const git = await readGit({ processes: deps.processes, id: 'plans', directory, env: target.env });
  if (git.kind === 'failed') {
    return { kind: 'failed', why: `the commit of ${directory} could not be read (${git.evidence})` };
  }
  let read: { digest: string; partial: string | null };
  try {
    read = await digestOf(directory, own);
  } catch (error) {
    return { kind: 'failed', why: `the folder ${directory} could not be read (${String(error)})` };
  }
  const dirty =
    git.kind === 'repository' ? git.dirty.map((d) => d.path).filter((path) => !isCompiled(path)) : [];
  const commit = git.kind === 'repository' ? git.commit : null;
  return { kind: 'read', code: { ...read, commit, dirty } };
}

async function real(path: string): Promise<string> {
  return await realpath(path).catch(() => resolve(path));
}

async function digestOf(
  directory: string,
  own: readonly string[],
): Promise<{ digest: string; partial: string | null }> {
  const { digests, partial, manifest } = await digestCode(directory, () => 'all', own);
  const digest = digests.get('all') ?? createHash('sha256').digest('hex');
  if (partial === null) keepManifest(digest, manifest);
  return { digest, partial };
}

/**
 * Digests over the names and contents of a folder's files, symbolic links followed; what programs write while they
 * run or test is left out.
 * @param groupOf which digest a file belongs to, by its path below the folder
 * @param own real paths of folders that the bot writes to, which are left out
 * @returns partial: why not every file is in them; null when each one is
 * @throws the error of the file system when something is there and cannot be read
 */
export async function digestCode(
  directory: string,
  groupOf: (path: string) => string,
  own: readonly string[] = [],
): Promise<{
  digests: ReadonlyMap<string, string>;
  partial: string | null;
  manifest: ReadonlyMap<string, string>;
}> {
  const groups = new Map<string, Hash>();
  const manifest = new Map<string, string>();
  let files = 0;
  let bytes = 0;
  let partial: string | null = null;
  for await (const { path, size } of filesBelow(directory, '', own)) {
    files += 1;
    bytes += size;
    if (files > mostFiles || bytes > mostBytes) {
      partial = `the folder ${directory} is too large to be digested whole: the code digest covers its first ${files - 1} files`;
      break;
    }
    const group = groupOf(path);
    const digest = groups.get(group) ?? createHash('sha256');
    const content = await sha256(join(directory, path));
    manifest.set(path, content);
    groups.set(group, digest.update(`${path}\0${content}\n`));
  }
  const digests = new Map([...groups].map(([group, hash]) => [group, hash.digest('hex')]));
  return { digests, partial, manifest };
}

/**
 * In an order that is the same everywhere. A link is the file or folder that it leads to; a circle ends.
 * @param above real paths of folders that are not entered: those of the bot, and those that lead here
 */
async function* filesBelow(
  directory: string,
  below: string,
  above: readonly string[],
): AsyncGenerator<{ path: string; size: number }> {
  const here = await realpath(join(directory, below));
  if (above.includes(here)) return;
  for (const name of (await readdir(here)).sort()) {
    if (skipped.has(name) || noise.test(name)) continue;
    const path = below === '' ? name : `${below}/${name}`;
    // A link that leads nowhere, or a file that went away, is none.
    const entry = await stat(join(directory, path)).catch(() => null);
    if (entry?.isDirectory() === true) yield* filesBelow(directory, path, [...above, here]);
    else if (entry?.isFile() === true) yield { path, size: entry.size };
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'ENOENT')) {
      return error.code;
    }
    throw error;
  }
  return hash.digest('hex');
}

/** Python writes these beside its sources; they say nothing about who edited what. */
function isCompiled(path: string): boolean {
  return /(^|\/)__pycache__\/|\.pyc$|(^|\/)\.pytest_cache\//.test(path);
}
