import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import { libpqEnvironment } from './postgres/url.js';
import { lastWords, readingId } from './process/ids.js';
import type { Processes, ProcessResult } from './process.js';
import { majorOf, readTools } from './tools.js';

export interface BackupOptions {
  readonly processes: Processes;
  /** Names the output folders, for instance `run-7/production.backup/1`. */
  readonly id: string;
  /** PATH at least; the connection is added here and never stands in the arguments. */
  readonly env: Readonly<Record<string, string>>;
  readonly databaseUrl: string;
  readonly applicationName: string;
}

export interface DumpOptions {
  /** Absolute path of the finished dump. It must not exist. */
  readonly path: string;
  /** The server's major version: an older pg_dump refuses a newer server, an older pg_restore a newer dump. */
  readonly serverMajor: number;
  readonly timeoutMs: number;
  /** Milliseconds that pg_dump waits for its locks at the beginning. */
  readonly lockTimeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface BackupFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly durationMs: number;
  /** The tables in it, `schema.name`. */
  readonly tables: readonly string[];
}

export type BackupTrouble =
  | { readonly kind: 'exists'; readonly path: string }
  | { readonly kind: 'not_writable'; readonly evidence: string }
  | { readonly kind: 'tool'; readonly evidence: string }
  | {
      readonly kind: 'client_too_old';
      readonly program: string;
      readonly client: string;
      readonly server: number;
    }
  | { readonly kind: 'empty' }
  | { readonly kind: 'unreadable'; readonly evidence: string }
  | { readonly kind: 'missing'; readonly path: string }
  | { readonly kind: 'failed'; readonly evidence: string; readonly process: ProcessResult };

export type DumpResult = ({ readonly kind: 'dumped' } & BackupFile) | BackupTrouble;
export type ProofResult =
  | ({ readonly kind: 'readable'; readonly entries: number } & BackupFile)
  | BackupTrouble;

export interface Backup {
  /** Dumps the database in pg_dump's own format. No file is left behind unless it succeeds. */
  dump(options: DumpOptions): Promise<DumpResult>;
  /**
   * Reads a dump from its first byte to its last. A dump that is cut has its whole list of contents still, so
   * listing it proves nothing; only a restore proves more than this.
   */
  prove(
    path: string,
    limits: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<ProofResult>;
  /** Removes what a dump left that nobody saw the end of. */
  discardPart(path: string): Promise<void>;
}

const LIST_BYTES = 64 * 1_024 * 1_024;

/** Takes and proves backups with pg_dump and pg_restore. */
export function createBackup(options: BackupOptions): Backup {
  const { processes, id } = options;

  async function pgRestore(name: string, args: readonly string[], timeoutMs: number, signal?: AbortSignal) {
    return processes.run({
      id: readingId(id, name),
      argv: ['pg_restore', ...args],
      cwd: '/',
      env: options.env,
      timeoutMs,
      maxOutputBytes: LIST_BYTES,
      signal,
    });
  }

  async function list(path: string, timeoutMs: number, signal?: AbortSignal) {
    const result = await pgRestore('list', ['--list', path], timeoutMs, signal);
    if (result.kind === 'exited' && result.exitCode === 0)
      return { kind: 'list' as const, ...parseList(result.stdout) };
    return readFailure(result);
  }

  async function checkVersions(serverMajor: number): Promise<BackupTrouble | null> {
    const tools = await readTools(['pg_dump', 'pg_restore'], { processes, id, cwd: '/', env: options.env });
    for (const tool of tools) {
      if (tool.kind === 'missing') return { kind: 'tool', evidence: tool.reason };
      if (tool.kind === 'broken') return { kind: 'tool', evidence: `${tool.path}: ${tool.evidence}` };
      if (!(majorOf(tool.version) >= serverMajor)) {
        return { kind: 'client_too_old', program: tool.program, client: tool.version, server: serverMajor };
      }
    }
    return null;
  }

  async function dumpTo(part: string, given: DumpOptions, startedAt: number): Promise<DumpResult> {
    const result = await processes.run({
      id: `${id}/dump`,
      argv: [
        'pg_dump',
        '--format=custom',
        '--no-password',
        `--lock-wait-timeout=${Math.round(given.lockTimeoutMs)}`,
        `--file=${part}`,
      ],
      cwd: '/',
      env: { ...options.env, ...libpqEnvironment(options.databaseUrl), PGAPPNAME: options.applicationName },
      timeoutMs: given.timeoutMs,
      signal: given.signal,
    });
    if (result.kind !== 'exited' || result.exitCode !== 0) return failed(result);
    const { size } = await stat(part);
    if (size === 0) return { kind: 'empty' };
    const contents = await list(part, given.timeoutMs, given.signal);
    if (contents.kind !== 'list') return contents;
    const sha256 = await digest(part);
    await flush(part);
    await rename(part, given.path);
    await flush(dirname(given.path));
    const durationMs = Date.now() - startedAt;
    return { kind: 'dumped', path: given.path, bytes: size, sha256, durationMs, tables: contents.tables };
  }

  return {
    async dump(given) {
      if (!isAbsolute(given.path)) throw new Error(`The path of a backup is absolute; found ${given.path}.`);
      const startedAt = Date.now();
      const tooOld = await checkVersions(given.serverMajor);
      if (tooOld !== null) return tooOld;
      if (await exists(given.path)) return { kind: 'exists', path: given.path };
      const part = partOf(given.path);
      // pg_dump would make it readable for others; it keeps the mode of a file that is there.
      const reserved = await reserve(part);
      if (reserved !== null) return reserved;
      try {
        return await dumpTo(part, given, startedAt);
      } finally {
        // After the rename there is nothing to remove.
        await rm(part, { force: true });
      }
    },

    async prove(path, limits) {
      const startedAt = Date.now();
      if (!(await exists(path))) return { kind: 'missing', path };
      const { size } = await stat(path);
      if (size === 0) return { kind: 'empty' };
      const contents = await list(path, limits.timeoutMs, limits.signal);
      if (contents.kind !== 'list') return contents;
      const args = ['--file=/dev/null', path];
      const [result, sha256] = await Promise.all([
        pgRestore('read', args, limits.timeoutMs, limits.signal),
        digest(path),
      ]);
      if (result.kind !== 'exited' || result.exitCode !== 0) return readFailure(result);
      const durationMs = Date.now() - startedAt;
      const { entries, tables } = contents;
      return { kind: 'readable', path, bytes: size, sha256, durationMs, entries, tables };
    },

    discardPart: (path) => rm(partOf(path), { force: true }),
  };
}

/** SHA-256 of a file as hex, without holding it in memory. */
export async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

/** Counts the entries of `pg_restore --list` and names the tables. Lines with a semicolon in front are comments. */
export function parseList(stdout: string): { entries: number; tables: string[] } {
  const lines = stdout.split('\n').filter((line) => /^\d+; /.test(line));
  const tables = lines.flatMap((line) => {
    // `215; 1259 16385 TABLE schema name owner`; TABLE DATA and TABLE ATTACH are entries of their own.
    const match = /^\d+; \d+ \d+ TABLE (?!DATA |ATTACH )(\S+) (.+) \S+$/.exec(line);
    return match === null ? [] : [`${match[1]}.${match[2]}`];
  });
  return { entries: lines.length, tables };
}

function partOf(path: string): string {
  return `${path}.part`;
}

function failed(result: ProcessResult): BackupTrouble {
  return { kind: 'failed', evidence: lastWords(result), process: result };
}

/** pg_restore ends with 1 for a file that it cannot read. */
function readFailure(result: ProcessResult): BackupTrouble {
  return result.kind === 'exited' ? { kind: 'unreadable', evidence: lastWords(result) } : failed(result);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}

async function reserve(part: string): Promise<BackupTrouble | null> {
  try {
    await (await open(part, 'wx', 0o600)).close();
    return null;
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    return error.code === 'EEXIST'
      ? { kind: 'exists', path: part }
      : { kind: 'not_writable', evidence: error.message };
  }
}

/** Makes a file, or the name in a folder, survive a power cut. */
async function flush(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
