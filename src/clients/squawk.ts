import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { z } from 'zod';
import { lastWords, readingId } from './process/ids.js';
import type { Processes } from './process.js';
import { parseScript } from './sql/parse-script.js';

export interface SqlFinding {
  readonly rule: string;
  readonly level: 'Error' | 'Warning';
  readonly message: string;
  readonly help: string | null;
  /** From 1. */
  readonly line: number;
  /** The statement that it points at; null when it is at none. */
  readonly statement: string | null;
}

export type LintResult =
  | { readonly kind: 'linted'; readonly findings: readonly SqlFinding[] }
  | { readonly kind: 'failed'; readonly evidence: string };

export interface LintOptions {
  readonly processes: Processes;
  /** Names the output folder, in which the SQL is kept as well. */
  readonly id: string;
  /** `15` or `15.18`; some rules depend on it. */
  readonly postgresVersion?: string;
  /** Rules that are not asked, for instance those about timeouts that the session sets. */
  readonly exclude?: readonly string[];
  readonly timeoutMs?: number;
}

const reportSchema = z.array(
  z.object({
    line: z.int(),
    level: z.enum(['Error', 'Warning']),
    message: z.string(),
    help: z.string().nullish(),
    rule_name: z.string(),
  }),
);

/** Lints SQL with squawk. A syntax error hides every other finding. */
export async function lintSql(sql: string, options: LintOptions): Promise<LintResult> {
  const program = squawkProgram();
  if (program === null) return { kind: 'failed', evidence: 'The package squawk-cli is not installed.' };
  const id = readingId(options.id, 'squawk');
  const { folder } = options.processes.paths(id);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, 'input.sql');
  // An explicit empty configuration: squawk would otherwise take a .squawk.toml from any folder above.
  const config = join(folder, 'squawk.toml');
  await writeFile(file, sql, { mode: 0o600 });
  await writeFile(config, '', { mode: 0o600 });
  const result = await options.processes.run({
    id,
    argv: [
      ...program,
      '--config',
      config,
      '--reporter',
      'json',
      ...(options.postgresVersion === undefined ? [] : ['--pg-version', options.postgresVersion]),
      ...(options.exclude ?? []).flatMap((rule) => ['--exclude', rule]),
      file,
    ],
    cwd: folder,
    env: {},
    timeoutMs: options.timeoutMs ?? 30_000,
    maxOutputBytes: 16 * 1_024 * 1_024,
  });
  // 1 means findings; anything above is a wrong option or a crash.
  if (result.kind !== 'exited' || result.exitCode > 1) {
    return { kind: 'failed', evidence: `${result.kind}: ${lastWords(result)}` };
  }
  const report = reportSchema.safeParse(parseJson(result.stdout));
  if (!report.success)
    return { kind: 'failed', evidence: lastWords(result) || z.prettifyError(report.error) };
  const { statements } = await parseScript(sql);
  return {
    kind: 'linted',
    findings: report.data.map((entry) => {
      // The report counts lines from 0.
      const line = entry.line + 1;
      return {
        rule: entry.rule_name,
        level: entry.level,
        message: entry.message,
        help: entry.help ?? null,
        line,
        statement: statements.find((one) => one.startLine <= line && line <= one.endLine)?.text ?? null,
      };
    }),
  };
}

/** The native program of this platform; its JavaScript launcher, which starts a second process, if need be. */
export function squawkProgram(): readonly [string, ...string[]] | null {
  const here = createRequire(import.meta.url);
  let launcher: string;
  try {
    launcher = here.resolve('squawk-cli/js/bin/squawk');
  } catch {
    return null;
  }
  try {
    const name = process.platform === 'win32' ? 'squawk.exe' : 'squawk';
    const native = `@squawk-cli/${process.platform}-${process.arch}/bin/${name}`;
    return [createRequire(launcher).resolve(native)];
  } catch {
    return [process.execPath, launcher];
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
