import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepDeps } from '../../checks/deps.js';
import { sized } from '../../checks/outcome.js';
import { readDisk } from '../../clients/disk.js';
import type { TargetConfig } from '../../config.js';
import type { StepContext } from '../../runbook/step-kind.js';

/**
 * The path of a file kept for a run: who, what and when stand in its name, so that it is found without the bot.
 * @param what such as `pre_m10_022`
 * @param revision where the database stood, or null
 */
export function keptFile(
  deps: StepDeps,
  context: StepContext<TargetConfig>,
  what: string,
  revision: string | null,
): string {
  const { directory } = deps.config.backups;
  const time = new Date(deps.now()).toISOString().replace(/[-:]/g, '').replace(/\..*$/, 'Z');
  return join(directory, `${keptPrefix(context, what)}${inName(revision)}-${time}.dump`);
}

/** A revision as the name of a file has it: whatever is in the table, it names no other folder. */
export function inName(revision: string | null): string {
  return revision === null ? 'no-revision' : revision.replace(/[^\w.]/g, '_').slice(0, 64);
}

/**
 * Makes the backup folder, and says why a file of about `bytes` cannot be written there; null when all is well.
 * A disk that runs full would cut the file, and take everything else on it along.
 */
export async function folderProblem(deps: StepDeps, bytes = 0): Promise<string | null> {
  const { directory, minFreeBytes } = deps.config.backups;
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch(() => undefined);
  const disk = await readDisk(directory);
  switch (disk.kind) {
    case 'missing':
      return `the folder ${directory} does not exist and cannot be made`;
    case 'not_a_directory':
      return `${directory} is not a folder`;
    case 'directory': {
      if (!disk.writable) return `the folder ${directory} cannot be written to (${disk.problem ?? '?'})`;
      const needed = minFreeBytes + bytes;
      return disk.freeBytes >= needed
        ? null
        : `${directory} has ${sized(disk.freeBytes)} free, ${sized(needed)} are needed`;
    }
  }
}

/** What the names of all files of one attempt begin with. */
export function keptPrefix(context: StepContext<TargetConfig>, what: string): string {
  const { run, target, step, attempt, mark } = context;
  return `${what}-run${run}-${target.name}-${step.id}-${attempt}-${mark === '' ? '' : `${mark}-`}`;
}
