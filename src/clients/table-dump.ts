import { open, rename, rm, stat } from 'node:fs/promises';
import pg from 'pg';
import { libpqEnvironment } from './postgres/url.js';
import { lastWords } from './process/ids.js';
import type { Processes, ProcessResult } from './process.js';

export interface TableDumpOptions {
  readonly processes: Processes;
  /** Names the output folder. */
  readonly id: string;
  /** PATH at least; the connection is added here and never stands in the arguments. */
  readonly env: Readonly<Record<string, string>>;
  readonly databaseUrl: string;
  readonly applicationName: string;
  readonly schema: string;
  readonly tables: readonly string[];
  /** Exported by a transaction that stays open meanwhile: the dump then holds the very rows that it counted. */
  readonly snapshot: string;
  /** Absolute path of the finished file. It must not exist. */
  readonly path: string;
  readonly timeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly signal: AbortSignal;
}

export type TableDumpResult =
  | { readonly kind: 'dumped' }
  | { readonly kind: 'not_writable'; readonly evidence: string }
  | { readonly kind: 'failed'; readonly evidence: string; readonly process: ProcessResult };

/** Dumps some tables of a schema in pg_dump's own format. No file is left behind unless it succeeds. */
export async function dumpTables(options: TableDumpOptions): Promise<TableDumpResult> {
  const { schema, tables, path } = options;
  const part = `${path}.part`;
  try {
    await (await open(part, 'wx', 0o600)).close();
  } catch (error) {
    return { kind: 'not_writable', evidence: error instanceof Error ? error.message : String(error) };
  }
  try {
    const result = await options.processes.run({
      id: `${options.id}/dump`,
      argv: [
        'pg_dump',
        '--format=custom',
        '--no-password',
        `--lock-wait-timeout=${Math.round(options.lockTimeoutMs)}`,
        `--snapshot=${options.snapshot}`,
        // Quoted, since the option takes patterns.
        ...tables.map((t) => `--table=${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(t)}`),
        `--file=${part}`,
      ],
      cwd: '/',
      env: { ...options.env, ...libpqEnvironment(options.databaseUrl), PGAPPNAME: options.applicationName },
      timeoutMs: options.timeoutMs,
      signal: options.signal,
    });
    if (result.kind !== 'exited' || result.exitCode !== 0) {
      return { kind: 'failed', evidence: lastWords(result), process: result };
    }
    const { size } = await stat(part);
    if (size === 0) return { kind: 'failed', evidence: 'pg_dump wrote nothing', process: result };
    const file = await open(part, 'r');
    await file.sync().finally(() => file.close());
    await rename(part, path);
    return { kind: 'dumped' };
  } finally {
    // After the rename there is nothing to remove.
    await rm(part, { force: true });
  }
}
