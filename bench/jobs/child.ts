import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';

/**
 * Runs a program with a process of its own, whose last line of output is a JSON of `schema`.
 * @throws Error when it fails or says something else
 */
export async function measured<T>(
  schema: z.ZodType<T>,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<T> {
  const { stdout } = await promisify(execFile)(program, [...args], { env, maxBuffer: 2 ** 26 });
  return schema.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));
}

export const Seconds = z.object({ seconds: z.number() });
