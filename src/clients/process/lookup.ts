import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';

export type ProgramLookup =
  | { readonly kind: 'found'; readonly path: string }
  | { readonly kind: 'not_found'; readonly reason: string }
  | { readonly kind: 'not_executable'; readonly reason: string };

/**
 * Finds a program as execvp would: a name with a slash is a path (from `cwd`), any other is searched for in
 * PATH, in order.
 */
export async function findProgram(
  program: string,
  searchPath: string | undefined,
  cwd: string,
): Promise<ProgramLookup> {
  const byPath = isAbsolute(program) || program.includes('/');
  const folders = (searchPath ?? '').split(':').filter((folder) => folder !== '');
  const candidates = byPath ? [resolve(cwd, program)] : folders.map((folder) => join(folder, program));
  let present: string | undefined;
  for (const candidate of candidates) {
    const fact = await fileFact(candidate);
    if (fact === 'executable') return { kind: 'found', path: candidate };
    if (fact === 'plain') present ??= candidate;
  }
  if (present !== undefined) {
    return { kind: 'not_executable', reason: `not executable: ${present}` };
  }
  const where = byPath
    ? ''
    : ` (looked in PATH ${folders.length === 0 ? 'which is empty' : folders.join(':')})`;
  return { kind: 'not_found', reason: `not found: ${program}${where}` };
}

async function fileFact(path: string): Promise<'executable' | 'plain' | 'absent'> {
  try {
    if (!(await stat(path)).isFile()) return 'absent';
  } catch {
    return 'absent';
  }
  try {
    await access(path, constants.X_OK);
    return 'executable';
  } catch {
    return 'plain';
  }
}
