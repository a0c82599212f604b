// Installs missing programs with apt where it may, and otherwise says how.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { APT, CLIENT_MAJOR } from './programs.mjs';

const WHAT = {
  'redis-server': 'redis-server',
  postgresql: `psql, pg_dump and pg_restore of PostgreSQL ${CLIENT_MAJOR} or newer`,
  python: 'a python3 that can import alembic, psycopg2, pytest and redis',
  git: 'git',
  promtool: 'promtool of Prometheus 2 or newer, for the tests',
};
const DNF = {
  'redis-server': ['redis'],
  postgresql: ['postgresql'],
  python: ['python3-alembic', 'python3-psycopg2', 'python3-pytest', 'python3-redis'],
  git: ['git'],
  promtool: ['golang-github-prometheus'],
};
const BREW = {
  'redis-server': ['redis'],
  postgresql: ['libpq'],
  python: ['python'],
  git: ['git'],
  promtool: ['prometheus'],
};

const onPath = (program, path) =>
  path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });

/** What is missing and the exact commands for the three common package managers. */
export function instructions(missing) {
  const list = (table) => missing.flatMap((key) => table[key]).join(' ');
  const pip = missing.includes('python')
    ? ['python3 -m pip install --user --break-system-packages alembic psycopg2-binary pytest redis']
    : [];
  return [
    'These programs are missing:',
    ...missing.map((key) => `  - ${WHAT[key]}`),
    '',
    'Install them and start again.',
    'Debian, Ubuntu:',
    '  sudo apt-get update',
    `  sudo apt-get install -y --no-install-recommends ${list(APT)}`,
    'Fedora:',
    `  sudo dnf install -y ${list(DNF)}`,
    'macOS:',
    `  brew install ${list(BREW)}`,
    ...pip.map((command) => `  ${command}`),
    ...(missing.includes('postgresql')
      ? [
          `PostgreSQL clients older than ${CLIENT_MAJOR}: newer ones are at https://www.postgresql.org/download/`,
        ]
      : []),
    ...(missing.includes('promtool')
      ? [
          'Debian starts the server that comes with promtool; sudo systemctl disable --now prometheus ends it.',
        ]
      : []),
  ].join('\n');
}

/** The words in front of a command that needs root, or undefined where we may not become root unasked. */
export function rootPrefix(path) {
  if (process.getuid?.() === 0) return [];
  if (!onPath('sudo', path)) return undefined;
  const mayI = spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore', env: { ...process.env, PATH: path } });
  return mayI.status === 0 ? ['sudo', '-n'] : undefined;
}

// Debian starts a service as soon as its package is installed, unless policy-rc.d says 101. The trial brings its
// own Redis, and one more on port 6379 would be a surprise that stays.
const APT_SCRIPT = `
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\\nexit 101\\n' >"$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q && apt-get install -y -q --no-install-recommends "$@"
`;

/**
 * Installs with apt.
 *
 * @returns {boolean} false where there is no apt-get, or we may not become root, or apt failed (its output has
 *   been shown then)
 */
export function installWithApt(missing, path, say) {
  if (!onPath('apt-get', path)) return false;
  const prefix = rootPrefix(path);
  if (!prefix) return false;
  const packages = missing.flatMap((key) => APT[key]);
  say(`Installing ${packages.join(' ')} with apt-get …`);
  const [file, ...args] = [...prefix, '/bin/sh', '-c', APT_SCRIPT, 'install', ...packages];
  const done = spawnSync(file, args, { encoding: 'utf8', env: { ...process.env, PATH: path } });
  if (done.status === 0) return true;
  say(
    `apt-get failed:\n${`${done.stdout ?? ''}${done.stderr ?? ''}`.trimEnd().split('\n').slice(-15).join('\n')}`,
  );
  return false;
}
