// promtool, which the tests need and nothing else. Debian has it in its package prometheus.
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canFetch, fetchFromPackages } from './fetch.mjs';
import { isProgram, TOOLS } from './programs.mjs';

/** Where the program that we took out of the package lies. */
export const OWN_PROMTOOL = fileURLToPath(new URL('../node_modules/.cache/m10bot/promtool', import.meta.url));

/** The first promtool of `path`, or else our own; undefined when there is none. */
export function findPromtool(path, own = OWN_PROMTOOL) {
  const folders = path.split(delimiter).filter((folder) => folder !== '' && !folder.endsWith(TOOLS));
  return [...folders.map((folder) => join(folder, 'promtool')), own].find(isProgram);
}

export const canFetchPromtool = canFetch;

/**
 * Downloads it to `file`.
 *
 * @returns {boolean} false when apt could not; the end of its output has been shown then
 */
export function fetchPromtool(path, say, file = OWN_PROMTOOL) {
  say("Downloading promtool out of Debian's package prometheus (nothing is installed) …");
  return fetchFromPackages({ packages: ['prometheus'], from: 'usr/bin/promtool', to: file, path, say });
}
