import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { readGit } from '../../clients/git.js';
import type { TargetConfig } from '../../config.js';
import type { StepDeps } from '../deps.js';

/** Which code a migration comes from. */
export interface CodeState {
  /** Over the contents of the project's files, whatever git says. */
  readonly digest: string;
  /** Each migration script by the revision that it names. */
  readonly revisions: ReadonlyMap<string, string>;
  /** null: the folder is in no git repository, or there is no commit yet. */
  readonly commit: string | null;
  /** Files that differ from the commit. */
  readonly dirty: readonly string[];
}

export type CodeResult =
  | { readonly kind: 'read'; readonly code: CodeState }
  | { readonly kind: 'failed'; readonly why: string };

/** What Python reads, plus the SQL and settings that a migration may read. */
const extensions = new Set([
  '.py',
  '.ini',
  '.cfg',
  '.toml',
  '.sql',
  '.json',
  '.yml',
  '.yaml',
  '.txt',
  '.mako',
]);
const skipped = new Set(['.git', '__pycache__', 'node_modules', '.venv', 'venv', '.tox', '.pytest_cache']);

/** Reads the code as it lies in a target's folder now. */
export async function readCode(deps: Pick<StepDeps, 'processes'>, target: TargetConfig): Promise<CodeResult> {
  const { directory } = target;
  const listed = await filesOf(directory).catch((error: unknown) => error);
  if (!Array.isArray(listed)) {
    return { kind: 'failed', why: `the folder ${directory} could not be read (${String(listed)})` };
  }
  const files: string[] = listed;
  const git = await readGit({ processes: deps.processes, id: 'plans', directory, env: target.env });
  if (git.kind === 'failed') {
    return { kind: 'failed', why: `the commit of ${directory} could not be read (${git.evidence})` };
  }
  const digest = createHash('sha256');
  const revisions = new Map<string, string>();
  for (const file of files) {
    const content = await readFile(join(directory, file));
    const sha256 = createHash('sha256').update(content).digest('hex');
    digest.update(`${file}\0${sha256}\n`);
    const revision = file.endsWith('.py') ? revisionIn(content.toString('utf8')) : null;
    if (revision !== null) revisions.set(revision, sha256);
  }
  const dirty =
    git.kind === 'repository' ? git.dirty.map((d) => d.path).filter((path) => !isCompiled(path)) : [];
  const commit = git.kind === 'repository' ? git.commit : null;
  return { kind: 'read', code: { digest: digest.digest('hex'), revisions, commit, dirty } };
}

/** Paths from the folder, in an order that is the same everywhere. */
async function filesOf(directory: string, below = ''): Promise<string[]> {
  const entries = await readdir(join(directory, below), { withFileTypes: true });
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) return skipped.has(entry.name) ? [] : filesOf(directory, path);
      return entry.isFile() && extensions.has(extname(entry.name)) ? [path] : [];
    }),
  );
  return found.flat().sort();
}

/** The name that a migration script gives itself. */
function revisionIn(source: string): string | null {
  return /^revision\s*(?::\s*\w+)?\s*=\s*(['"])([\w.]+)\1/m.exec(source)?.[2] ?? null;
}

/** Python writes these beside its sources; they say nothing about who edited what. */
function isCompiled(path: string): boolean {
  return /(^|\/)__pycache__\/|\.pyc$|(^|\/)\.pytest_cache\//.test(path);
}
