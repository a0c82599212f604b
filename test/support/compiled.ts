import { execFile } from 'node:child_process';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../workspace/services/tools.js';

/** A compilation that died holds the lock no longer than this. */
const LOCK_DEADLINE_MS = 60_000;

/**
 * The folder `dist` with the sources as they are now, for tests that start a process of their own. `npm test`
 * has compiled already and says so in `M10_COMPILED`; a narrow vitest run compiles here, what changed only.
 * Type errors are the business of the types stage: what could be compiled is there in spite of them.
 */
export async function compiled(): Promise<string> {
  const root = await repositoryRoot();
  const dist = join(root, 'dist');
  if (process.env.M10_COMPILED === '1') return dist;
  const lock = join(root, 'node_modules', '.m10-compiling');
  const deadline = Date.now() + LOCK_DEADLINE_MS;
  const locked = () =>
    mkdir(lock).then(
      () => true,
      () => false,
    );
  while (!(await locked())) {
    const since = await stat(lock).catch(() => undefined);
    if (Date.now() > deadline || (since && Date.now() - since.mtimeMs > LOCK_DEADLINE_MS)) {
      await rm(lock, { recursive: true, force: true });
    } else await sleep(100);
  }
  try {
    await promisify(execFile)(process.execPath, [join(root, 'scripts', 'build.mjs')]).catch(() => undefined);
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
  process.env.M10_COMPILED = '1';
  return dist;
}
