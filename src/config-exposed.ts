import { readFileSync, statSync } from 'node:fs';
import type { Shown } from './redact.js';

/** A shorter one would be found in any text. */
const SHORTEST = 4;
const OTHERS_MAY_READ = 0o004;

/**
 * Why the configuration file gives passwords away; null when it does not. Only those that stand in it count: what comes
 * from the environment by `${NAME}` does not.
 * @param secrets the values that the configuration keeps from being shown
 * @param shown names that may be a password as well, and stand in the file as names
 */
export function exposedBecause(file: string, secrets: readonly string[], shown: Shown): string | null {
  const mode = statSync(file).mode & 0o777;
  if ((mode & OTHERS_MAY_READ) === 0) return null;
  const text = readFileSync(file, 'utf8');
  const names = new Set(shown.words);
  const found = secrets.some(
    (secret) => secret.length >= SHORTEST && !names.has(secret) && text.includes(secret),
  );
  if (!found) return null;
  const shownMode = mode.toString(8).padStart(4, '0');
  return `${file} holds passwords and every user of this machine can read it (mode ${shownMode}): run chmod 640 ${file}, or put them into the environment and \${NAME} in their place`;
}
