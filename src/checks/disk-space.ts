import { mkdir } from 'node:fs/promises';
import { z } from 'zod';
import { readDisk } from '../clients/disk.js';
import { readDatabaseSize } from '../clients/postgres/counts.js';
import type { TargetConfig } from '../config.js';
import { defineKind, type StepKind } from '../runbook/step-kind.js';
import type { StepDeps } from './deps.js';
import { failed, passed, sized, unknown } from './outcome.js';
import { unread, withSession } from './session.js';

const Args = z.strictObject({
  /** Free space as a multiple of the database's size; a compressed dump is smaller than the database. */
  factor: z.number('expected a number such as 1.5').positive('expected a number above 0').default(1.5),
});

/** A disk that runs full cuts a backup, and a cut backup may look whole. */
export function diskSpace(deps: StepDeps): StepKind<TargetConfig> {
  const { directory, minFreeBytes } = deps.config.backups;
  return defineKind({
    name: 'disk.space',
    changes: false,
    args: Args,
    describe: (args, { target }) => ({
      words: `Make sure that ${directory} can be written to and has ${args.factor} times the size of the database of ${target.name} free, ${sized(minFreeBytes)} at least.`,
      commands: ['SELECT pg_database_size(current_database())', `df ${directory}`],
    }),
    async run(args, context) {
      const read = await withSession(context.target, context, readDatabaseSize);
      if (read.kind !== 'ok') return unread(context.target.name, 'the size of the database', read);
      const needed = Math.max(Math.ceil(read.value * args.factor), minFreeBytes);
      // The bot's own folder; only a missing parent or a missing right keeps it from being there.
      await mkdir(directory, { recursive: true, mode: 0o700 }).catch(() => undefined);
      const disk = await readDisk(directory);
      if (disk.kind === 'missing') return failed(`${disk.path} does not exist and cannot be made`);
      if (disk.kind === 'not_a_directory') return failed(`${disk.path} is not a folder`);
      if (!disk.writable)
        return failed(`${directory} cannot be written to (${disk.problem ?? 'reason unknown'})`);
      if (disk.freeInodes === 0) return failed(`the file system of ${directory} has no inode left`);
      if (!Number.isFinite(disk.freeBytes))
        return unknown(`the free space of ${directory} could not be read`);
      const facts = `${sized(disk.freeBytes)} free in ${directory}, ${sized(needed)} needed for a database of ${sized(read.value)}`;
      return disk.freeBytes >= needed ? passed(facts) : failed(`too little space: ${facts}`);
    },
  });
}
