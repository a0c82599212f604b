import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';

/** Runs the compiled program to its end, with nothing of this process's environment but PATH. */
export async function runCli(
  dist: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [join(dist, 'src', 'cli.js'), ...args],
      {
        cwd: options.cwd ?? tmpdir(),
        env: { PATH: process.env.PATH, ...options.env },
        maxBuffer: 32 * 2 ** 20,
      },
    );
    return { code: 0, stdout, stderr };
  } catch (error) {
    return z.looseObject({ code: z.number(), stdout: z.string(), stderr: z.string() }).parse(error);
  }
}
