import { lastWords, readingId } from './process/ids.js';
import { findProgram } from './process/lookup.js';
import type { Processes } from './process.js';

export type Tool =
  | { readonly kind: 'present'; readonly program: string; readonly path: string; readonly version: string }
  | { readonly kind: 'missing'; readonly program: string; readonly reason: string }
  /** It is there and does not run: a launcher without its interpreter, say. */
  | { readonly kind: 'broken'; readonly program: string; readonly path: string; readonly evidence: string };

export interface ToolsOptions {
  readonly processes: Processes;
  /** Names the output folders of the programs. */
  readonly id: string;
  readonly cwd: string;
  /** The environment under which the programs would run later; PATH decides which ones are found. */
  readonly env: Readonly<Record<string, string>>;
  /** Milliseconds for each program; 20,000 when not given. */
  readonly timeoutMs?: number;
}

/** Looks each program up and asks it for its version, all at once. */
export async function readTools(programs: readonly string[], options: ToolsOptions): Promise<Tool[]> {
  return Promise.all(programs.map((program) => readTool(program, options)));
}

async function readTool(program: string, options: ToolsOptions): Promise<Tool> {
  const found = await findProgram(program, options.env.PATH, options.cwd);
  if (found.kind !== 'found') return { kind: 'missing', program, reason: found.reason };
  const { path } = found;
  const result = await options.processes.run({
    id: readingId(options.id, program.replace(/[^\w.-]/g, '_')),
    argv: [program, '--version'],
    cwd: options.cwd,
    env: options.env,
    timeoutMs: options.timeoutMs ?? 20_000,
  });
  if (result.kind !== 'exited') {
    return { kind: 'broken', program, path, evidence: `${result.kind}: ${lastWords(result)}` };
  }
  // Some old programs print their version to stderr.
  const version = parseVersion(result.stdout) ?? parseVersion(result.stderr);
  if (result.exitCode !== 0 || version === null) {
    return { kind: 'broken', program, path, evidence: lastWords(result) };
  }
  return { kind: 'present', program, path, version };
}

/** The first number with a dot: `pg_dump (PostgreSQL) 15.18 (Debian …)` is 15.18, `alembic 1.8.1` is 1.8.1. */
export function parseVersion(text: string): string | null {
  return /\b\d+(?:\.\d+)+\w*/.exec(text)?.[0] ?? /(?<=\s|^)\d+(?=\s|$)/.exec(text)?.[0] ?? null;
}

/** 15 of `15.18`; NaN when it does not begin with a number. */
export function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}
