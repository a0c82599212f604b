import { execFile } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { World } from '../world.js';

export const NO_PGBENCH =
  'pgbench was not found, so there is no limit to hold the figures against. Debian has it in the package ' +
  'postgresql (postgresql-15), Fedora in postgresql-contrib, Homebrew in postgresql@15.';

/** Where pgbench is: on the PATH, or where Debian keeps the programs of each version. null: nowhere. */
export function findPgbench(world: World): string | null {
  try {
    return world.tools.find('pgbench');
  } catch {
    const home = '/usr/lib/postgresql';
    return versions(home).find(isProgram) ?? null;
  }
}

function versions(home: string): string[] {
  try {
    const newest = readdirSync(home).sort((a, b) => Number(b) - Number(a));
    return newest.map((version) => join(home, version, 'bin', 'pgbench'));
  } catch {
    return [];
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs a script of statements on one connection, each prepared once.
 * @returns scripts a second, without the time to connect
 */
export async function pgbench(
  world: World,
  program: string,
  options: { readonly url: string; readonly script: string; readonly transactions: number },
): Promise<number> {
  const file = join(await world.folder(), 'script.sql');
  await writeFile(file, options.script);
  const address = new URL(options.url);
  // The password by the environment, as arguments are for everyone to read.
  const env = { PATH: world.tools.value, PGPASSWORD: decodeURIComponent(address.password), LC_ALL: 'C' };
  address.password = '';
  const args = ['-n', '-c', '1', '-M', 'prepared', '-t', String(options.transactions), '-f', file];
  const { stdout } = await promisify(execFile)(program, [...args, address.href], { env });
  const perSecond = /^tps = ([\d.]+) \(without initial connection time\)/m.exec(stdout)?.[1];
  if (perSecond === undefined) throw new Error(`pgbench said nothing of its rate:\n${stdout}`);
  return Number(perSecond);
}
