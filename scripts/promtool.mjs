// Gets promtool, which the tests need and nothing else. Debian has it in its package prometheus, whose installation
// would start a server that stays; so the package is only downloaded, and the one program taken out of it.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rootPrefix } from './install.mjs';
import { isProgram, TOOLS } from './programs.mjs';

/** Where the program that we took out of the package lies. */
export const OWN_PROMTOOL = fileURLToPath(new URL('../node_modules/.cache/m10bot/promtool', import.meta.url));

/** The first promtool of `path`, or else our own; undefined when there is none. */
export function findPromtool(path, own = OWN_PROMTOOL) {
  const folders = path.split(delimiter).filter((folder) => folder !== '' && !folder.endsWith(TOOLS));
  return [...folders.map((folder) => join(folder, 'promtool')), own].find(isProgram);
}

/** Whether it is worth trying: these three are on every Debian. */
export function canFetchPromtool(path) {
  const onPath = (name) => path.split(delimiter).some((folder) => folder && isProgram(join(folder, name)));
  return ['apt-get', 'dpkg-deb', 'tar'].every(onPath);
}

// Needs no root, unless the lists of packages have never been fetched.
const SCRIPT = `
set -e
apt-get download -q prometheus
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
`;

/**
 * Downloads it to `file`.
 *
 * @returns {boolean} false when apt could not; the end of its output has been shown then
 */
export function fetchPromtool(path, say, file = OWN_PROMTOOL) {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(folder, 'download-'));
  const run = ([command, ...args]) =>
    spawnSync(command, args, { cwd: work, encoding: 'utf8', env: { ...process.env, PATH: path } });
  try {
    say("Downloading promtool out of Debian's package prometheus (nothing is installed) …");
    let done = run(['/bin/sh', '-c', SCRIPT]);
    const prefix = done.status === 0 ? undefined : rootPrefix(path);
    if (prefix) {
      run([...prefix, 'apt-get', 'update', '-q']);
      done = run(['/bin/sh', '-c', SCRIPT]);
    }
    const program = join(work, 'usr', 'bin', 'promtool');
    if (done.status === 0 && isProgram(program)) {
      renameSync(program, file);
      return true;
    }
    const output = `${done.stdout ?? ''}${done.stderr ?? ''}`.trimEnd();
    say(`The download failed:\n${output.split('\n').slice(-15).join('\n')}`);
    return false;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
