// Brings a fresh clone to where it can run: node modules, programs, compiled code. Needs nothing installed but
// Node itself, so it imports nothing that npm would have to bring.
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from './build.mjs';
import { prepareDrivers } from './drivers.mjs';
import { BootstrapError } from './error.mjs';
import { installWithApt, instructions } from './install.mjs';
import { installModules, linkLibraries } from './modules.mjs';
import { findPrograms, makeToolPath, TOOLS } from './programs.mjs';
import { canFetchPromtool, fetchPromtool, findPromtool, OWN_PROMTOOL } from './promtool.mjs';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TOOL_FOLDER = join(ROOT, 'node_modules', TOOLS);

/** @throws BootstrapError when this Node is older than 20.19 */
export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new BootstrapError(
    `Node ${version} is too old: 20.19 or newer is needed. Get one at https://nodejs.org/ and start again.`,
    2,
  );
}

/**
 * Finds every program, installing what is missing where apt may.
 *
 * @param {boolean} [tests] also look whether promtool is there, or can be fetched by preparePromtool
 * @param {string} [own] where a promtool that was fetched lies
 * @returns {Record<string, string>} absolute paths by program, promtool not among them
 * @throws BootstrapError with exit code 2 and the commands to run when something is still missing
 */
export function preparePrograms(path, say, tests = false, own = OWN_PROMTOOL) {
  let { found, missing } = findPrograms(path);
  if (missing.length > 0 && installWithApt(missing, path, say)) ({ found, missing } = findPrograms(path));
  if (tests && !findPromtool(path, own) && !canFetchPromtool(path)) missing = [...missing, 'promtool'];
  if (missing.length > 0) throw new BootstrapError(instructions(missing), 2);
  return found;
}

/**
 * Adds promtool to programs, fetching it where it is not there.
 *
 * @throws BootstrapError with exit code 2 and the commands to run when it cannot be fetched
 */
export function preparePromtool(programs, path, say, own = OWN_PROMTOOL) {
  if (!findPromtool(path, own) && !fetchPromtool(path, say, own)) {
    throw new BootstrapError(instructions(['promtool']), 2);
  }
  return withPromtool(programs, path, own);
}

/** Adds promtool to programs if it is there. */
function withPromtool(programs, path, own = OWN_PROMTOOL) {
  const promtool = findPromtool(path, own);
  return promtool === undefined ? programs : { ...programs, promtool };
}

/**
 * Everything, in order; says one line when there was nothing to do.
 *
 * @param {{ build?: boolean, tests?: boolean, say?: (line: string) => void }} [options]
 * @returns {{ toolPath: string, drivers?: string }} the PATH to use for programs; for tests a folder for PYTHONPATH
 */
export function bootstrap({ build = true, tests = false, say = (line) => console.log(line) } = {}) {
  checkNode();
  let quiet = true;
  const loud = (line) => {
    quiet = false;
    say(line);
  };
  const path = process.env.PATH ?? '';
  // First what a person may have to do by hand, then what only takes time.
  const programs = preparePrograms(path, loud, tests);
  installModules(ROOT, loud);
  linkLibraries(ROOT);
  // Only now: npm ci deletes what was fetched before.
  const all = tests ? preparePromtool(programs, path, loud) : withPromtool(programs, path);
  const drivers = tests ? prepareDrivers(programs, path, loud) : undefined;
  const toolPath = makeToolPath(all, TOOL_FOLDER, path);
  if (build) {
    if (!existsSync(join(ROOT, 'dist'))) loud('Compiling …');
    const { ok, output } = compile();
    if (!ok) throw new BootstrapError(`The code does not compile:\n${output}`, 1);
  }
  say(quiet ? 'Everything needed is installed.' : 'Everything needed is installed now.');
  return { toolPath, drivers };
}

/** Runs a launcher's main function; what a person can mend is shown without a stack. */
export async function launch(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof BootstrapError)) throw error;
    console.error(error.message);
    process.exitCode = error.exitCode;
  }
}

/** Whether `url` is the file that node was started with. */
function isMain(url) {
  const started = process.argv[1];
  return started !== undefined && existsSync(started) && realpathSync(started) === fileURLToPath(url);
}

if (isMain(import.meta.url)) {
  await launch(() => {
    // For code that was not started through a launcher: only the path on stdout, progress on stderr.
    if (process.argv.includes('--tool-path')) {
      const path = process.env.PATH ?? '';
      const programs = preparePrograms(path, (line) => console.error(line));
      console.log(makeToolPath(withPromtool(programs, path), TOOL_FOLDER, path));
    } else bootstrap();
    return 0;
  });
}
