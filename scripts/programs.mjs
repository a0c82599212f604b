// Finds the programs that the trial, the tests and the benchmarks start.
import { execFileSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { basename, delimiter, join } from 'node:path';

/** Oldest PostgreSQL client that can read the trial's server (15). */
export const CLIENT_MAJOR = 15;
/** Name of the folder that makeToolPath fills. */
export const TOOLS = '.m10-tools';
const MODULES = ['alembic', 'psycopg2', 'pytest', 'redis'];
const CLIENTS = ['psql', 'pg_dump', 'pg_restore'];

/** Debian's packages, by what they bring. */
export const APT = {
  'redis-server': ['redis-server'],
  postgresql: ['postgresql-client'],
  python: ['alembic', 'python3-psycopg2', 'python3-pytest', 'python3-redis'],
  git: ['git'],
  promtool: ['prometheus'],
};

export function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Folders outside PATH that packages put PostgreSQL's and Python's programs in, newest version first. */
function usualFolders() {
  const newest = (folder, suffix) => {
    try {
      const versions = readdirSync(folder).filter((name) => /^\d+$/.test(name));
      return versions.sort((a, b) => Number(b) - Number(a)).map((name) => join(folder, name, suffix));
    } catch {
      return [];
    }
  };
  return [
    ...newest('/usr/lib/postgresql', 'bin'),
    ...['/opt/homebrew', '/usr/local'].flatMap((brew) => [
      join(brew, 'opt/libpq/bin'),
      ...[18, 17, 16, 15].map((major) => join(brew, `opt/postgresql@${major}/bin`)),
    ]),
  ];
}

function output(file, args) {
  try {
    return execFileSync(file, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 30_000,
    });
  } catch {
    return undefined;
  }
}

function clientMajor(folder) {
  if (!CLIENTS.every((name) => isProgram(join(folder, name)))) return 0;
  return Number(/(\d+)/.exec(output(join(folder, 'pg_dump'), ['--version']) ?? '')?.[1] ?? 0);
}

function hasModules(python) {
  return output(python, ['-c', `import ${MODULES.join(', ')}`]) !== undefined;
}

/**
 * Looks for every program along `path` and in the usual folders.
 *
 * The first python3 on a PATH is often one of a version manager, which does not see what the distribution
 * installed for /usr/bin/python3; so every python3 is tried until one can import all that is needed.
 *
 * @returns {{ found: Record<string, string>, missing: string[] }} `found` by program, `missing` as keys of APT
 */
export function findPrograms(path, more = usualFolders()) {
  // Our own launchers from an earlier start would find themselves.
  const usable = (folder) => folder !== '' && basename(folder) !== TOOLS;
  const folders = [...new Set(path.split(delimiter).filter(usable))];
  const first = (name) => folders.map((folder) => join(folder, name)).find(isProgram);
  const found = {};
  const missing = [];
  for (const name of ['redis-server', 'git']) {
    const file = first(name);
    if (file) found[name] = file;
    else missing.push(name);
  }
  const fitting = [...folders, ...more].filter((folder) => clientMajor(folder) >= CLIENT_MAJOR);
  // Debian's psql on the PATH is a Perl script that looks for the real one at every start.
  const isScript = (folder) => basename(realpathSync(join(folder, 'psql'))) === 'pg_wrapper';
  const clients = fitting.find((folder) => !isScript(folder)) ?? fitting[0];
  if (clients) for (const name of CLIENTS) found[name] = join(clients, name);
  else missing.push('postgresql');
  const python = folders
    .map((folder) => join(folder, 'python3'))
    .filter(isProgram)
    .find(hasModules);
  if (python) found.python3 = python;
  else missing.push('python');
  return { found, missing };
}

/** Writes a program in one step: others may be starting it at this moment. */
function writeProgram(file, text) {
  try {
    if (readFileSync(file, 'utf8') === text) return;
  } catch {
    // Not there yet.
  }
  const partial = `${file}.${process.pid}`;
  writeFileSync(partial, text, { mode: 0o755 });
  chmodSync(partial, 0o755);
  renameSync(partial, file);
}

/**
 * Makes a folder with one small launcher per program and puts it in front of `path`. Putting the programs' own
 * folders in front would also move other programs there (an older node in /usr/bin, say).
 *
 * @returns {string} the PATH to use
 */
export function makeToolPath(found, folder, path) {
  mkdirSync(folder, { recursive: true });
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const launcher = (name, command) => writeProgram(join(folder, name), `#!/bin/sh\nexec ${command} "$@"\n`);
  for (const [name, file] of Object.entries(found)) launcher(name, quoted(file));
  launcher('python', quoted(found.python3));
  for (const name of ['alembic', 'pytest']) launcher(name, `${quoted(found.python3)} -m ${name}`);
  // A path that was made by a parent process is not made longer.
  const rest = path.split(delimiter).filter((entry) => entry !== folder);
  return [folder, ...rest].join(delimiter);
}
