// The drivers that env.py of other projects connect with: the tests run Alembic with them where they can be had.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { canFetch, fetchFromPackages } from './fetch.mjs';

const PACKAGES = ['python3-asyncpg', 'python3-psycopg', 'python3-typing-extensions'];
const OWN_DRIVERS = fileURLToPath(new URL('../node_modules/.cache/m10bot/drivers', import.meta.url));

/**
 * @param {Record<string, string>} programs absolute paths by program
 * @returns {string | undefined} a folder for PYTHONPATH; undefined when it is not needed, or could not be had: those
 * tests are skipped then
 */
export function prepareDrivers(programs, path, say, own = OWN_DRIVERS) {
  const imports = (folder) =>
    spawnSync(programs.python3, ['-c', 'import asyncpg, psycopg'], {
      env: { PATH: path, ...(folder ? { PYTHONPATH: folder } : {}) },
    }).status === 0;
  if (imports(undefined)) return undefined;
  if (!existsSync(own)) {
    if (!canFetch(path)) return undefined;
    say("Downloading drivers for tests out of Debian's packages (nothing is installed) …");
    const from = 'usr/lib/python3/dist-packages';
    if (!fetchFromPackages({ packages: PACKAGES, from, to: own, path, say })) return undefined;
  }
  // Compiled for Debian's own Python only.
  return imports(own) ? own : undefined;
}
