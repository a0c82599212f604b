// Gets what only the tests need out of Debian's packages without installing them: an installation may start a server
// that stays, or change what the machine's own programs import.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { rootPrefix } from './install.mjs';
import { isProgram } from './programs.mjs';

/** Whether it is worth trying: these three are on every Debian. */
export function canFetch(path) {
  const onPath = (name) => path.split(delimiter).some((folder) => folder && isProgram(join(folder, name)));
  return ['apt-get', 'dpkg-deb', 'tar'].every(onPath);
}

/**
 * Downloads packages and moves one file or folder of what they hold to `to`. Needs no root, unless the lists of
 * packages have never been fetched.
 *
 * @param {{ packages: readonly string[], from: string, to: string, path: string, say: (line: string) => void }} what
 * @returns {boolean} false when apt could not; the end of its output has been shown then
 */
export function fetchFromPackages({ packages, from, to, path, say }) {
  const folder = dirname(to);
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(folder, 'download-'));
  const script = `
set -e
apt-get download -q ${packages.join(' ')}
for package in *.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x ./${from}; done
test -e '${from}'
`;
  const run = ([command, ...args]) =>
    spawnSync(command, args, { cwd: work, encoding: 'utf8', env: { ...process.env, PATH: path } });
  try {
    let done = run(['/bin/sh', '-c', script]);
    const prefix = done.status === 0 ? undefined : rootPrefix(path);
    if (prefix) {
      run([...prefix, 'apt-get', 'update', '-q']);
      done = run(['/bin/sh', '-c', script]);
    }
    if (done.status === 0) {
      renameSync(join(work, from), to);
      return true;
    }
    const output = `${done.stdout ?? ''}${done.stderr ?? ''}`.trimEnd();
    say(`The download failed:\n${output.split('\n').slice(-15).join('\n')}`);
    return false;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
