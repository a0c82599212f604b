import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Where the programs that the trial needs are found. */
export interface ToolPath {
  /** Value for a child's PATH. */
  readonly value: string;
  /** Absolute path of a program. @throws Error when no folder of the path has it. */
  find(program: string): string;
}

/** The folder with package.json, from the sources and from the compiled tree alike. */
export async function repositoryRoot(): Promise<string> {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const found = await access(join(folder, 'scripts', 'bootstrap.mjs')).then(
      () => true,
      () => false,
    );
    if (found) return folder;
    if (folder === dirname(folder)) throw new Error('scripts/bootstrap.mjs was not found above this file.');
  }
}

/**
 * The PATH under which every program of the trial is the right one (a first `python3` may lack Alembic). The
 * launchers in scripts/ set `M10_TOOL_PATH`; without it scripts/bootstrap.mjs is asked, so that only one place
 * knows how to look.
 *
 * @throws Error that names what is missing and how to install it.
 */
export async function toolPath(): Promise<ToolPath> {
  const value = process.env.M10_TOOL_PATH ?? (await ask());
  return {
    value,
    find(program) {
      for (const folder of value.split(delimiter)) {
        const file = join(folder, program);
        try {
          accessSync(file, constants.X_OK);
          return file;
        } catch {
          // Not in this folder.
        }
      }
      throw new Error(`${program} was not found. Run node scripts/bootstrap.mjs to install what is missing.`);
    },
  };
}

async function ask(): Promise<string> {
  const script = join(await repositoryRoot(), 'scripts', 'bootstrap.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [script, '--tool-path']);
  return stdout.trim();
}
