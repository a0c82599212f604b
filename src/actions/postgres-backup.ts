import { basename } from 'node:path';
import { z } from 'zod';
import type { StepDeps } from '../checks/deps.js';
import { commandEnvironment } from '../checks/environment.js';
import { failed, passed, sized, spoken, unknown } from '../checks/outcome.js';
import { revisionLabel, sayRevision } from '../checks/revision.js';
import { explain, withSession } from '../checks/session.js';
import { type Backup, type BackupTrouble, createBackup } from '../clients/backup.js';
import { readIdentity } from '../clients/postgres/identity.js';
import type { TargetConfig } from '../config.js';
import { Duration } from '../runbook/definition.js';
import { defineKind, type Outcome, type StepContext, type StepKind } from '../runbook/step-kind.js';
import { endSessions } from './alembic/after.js';
import { readBefore } from './alembic/before.js';
import { sayBlockers, watchingBlockers } from './alembic/watch.js';
import { folderProblem, inName, keptFile, keptPrefix } from './backup/folder.js';
import { sayLeftover } from './backup/leftover.js';
import { readMigrator } from './backup/migration.js';
import { probeDump } from './backup/probe.js';
import { setAside } from './backup/set-aside.js';
import { sayTrouble } from './backup/trouble.js';

const Args = z.strictObject({
  /** What the file's name begins with. */
  label: z
    .string()
    .regex(/^[a-z0-9_]{1,40}$/i, 'expected letters, digits and "_", 40 at most')
    .default('backup'),
  /** How long pg_dump waits for its locks at the beginning, ms: behind a change it would wait for ever. */
  'lock-timeout': Duration.default(10_000),
});
type Args = z.infer<typeof Args>;

/** Dumps a whole database into the backup folder and reads the dump back from its first byte to its last. */
export function postgresBackup(deps: StepDeps): StepKind<TargetConfig> {
  const { directory, minFreeBytes } = deps.config.backups;
  return defineKind({
    name: 'postgres.backup',
    changes: true,
    args: Args,
    relations: () => ({ backsUp: true }),
    describe: (args, { target, step }) => {
      const file = `${directory}/${args.label}-run…-${target.name}-${step.id}-….dump`;
      return {
        words: `Dump the database of ${target.name} into ${directory}, which must have ${sized(minFreeBytes)} free, and read the dump to its end.`,
        commands: [
          `PGHOST=… PGDATABASE=<${target.name}> pg_dump --format=custom --no-password --lock-wait-timeout=${args['lock-timeout']} --file=${file}.part`,
          `mv ${file}.part ${file}`,
          `pg_restore --list ${file}`,
          `pg_restore --file=/dev/null ${file}`,
          `sha256sum ${file}`,
        ],
      };
    },
    survey: async (args) => ({
      kind: 'surveyed',
      parts: { folder: directory, label: args.label },
      sql: [],
      warnings: [],
    }),
    run: (args, context) => backup(deps, args, context),
    probe: (args, context) =>
      probeDump(deps, context, keptPrefix(context, args.label), async (path) => {
        const proven = await prove(deps, context, backupOf(deps, context), path);
        return proven.kind === 'interrupted' ? { unclear: proven.outcome.summary } : proven.outcome;
      }),
  });
}

function backupOf(deps: StepDeps, context: StepContext<TargetConfig>): Backup {
  return createBackup({
    processes: deps.processes,
    id: context.childId,
    env: commandEnvironment(context.target, context.applicationName),
    databaseUrl: context.target.databaseUrl,
    applicationName: context.applicationName,
  });
}

async function backup(deps: StepDeps, args: Args, context: StepContext<TargetConfig>): Promise<Outcome> {
  const { target, applicationName, signal } = context;
  const refuse = (why: string) => failed(`${why}; no backup was taken`);
  const before = await readBefore(deps.revisions, target, applicationName);
  if (before.kind === 'unread') return refuse(before.why);
  if (before.inTheWay !== null) return refuse(`${before.inTheWay} on ${target.name}`);
  const read = await withSession(target, { applicationName: 'm10bot:before' }, async (database) => ({
    identity: await readIdentity(database),
    migrator: await readMigrator(database, await deps.revisions.placeOf(target)),
  }));
  if (read.kind !== 'ok') return refuse(`the database of ${target.name} ${explain(read)}`);
  const { identity, migrator } = read.value;
  if (migrator !== null) return refuse(`${migrator} is migrating ${target.name}`);
  const folder = await folderProblem(deps);
  if (folder !== null) return refuse(folder);

  const revision = revisionLabel(before.stored);
  const path = keptFile(deps, context, args.label, revision);
  const backups = backupOf(deps, context);
  const { value: dumped, blocked } = await watchingBlockers(target, applicationName, () =>
    backups.dump({
      path,
      serverMajor: Math.floor(identity.versionNumber / 10_000),
      timeoutMs: context.step.timeout,
      lockTimeoutMs: args['lock-timeout'],
      signal,
    }),
  );
  if (dumped.kind !== 'dumped') {
    // A dump that was ended may hold its locks for a moment longer.
    const after = await endSessions(target, context);
    return troubled(target.name, dumped, sayBlockers(blocked), sayLeftover(after));
  }
  const proven = await prove(deps, context, backups, path);
  if (proven.kind === 'good') return proven.outcome;
  const aside = await setAside(path);
  const { result, summary, output } = proven.outcome;
  return { result, summary: `${summary}. The file is kept as ${aside}`, output: output ?? '' };
}

interface Proven {
  /** `interrupted`: nothing was learnt about the file. */
  readonly kind: 'good' | 'bad' | 'interrupted';
  readonly outcome: Outcome;
}

/** Reads the finished file to its end, and the revision once more: it must be the one in the file's name. */
async function prove(
  deps: StepDeps,
  context: StepContext<TargetConfig>,
  backups: Backup,
  path: string,
): Promise<Proven> {
  const { target, signal } = context;
  const proof = await backups.prove(path, { timeoutMs: context.step.timeout, signal });
  if (proof.kind !== 'readable') {
    const kind = proof.kind === 'failed' ? 'interrupted' : 'bad';
    return { kind, outcome: troubled(target.name, proof) };
  }
  const now = await withSession(target, { applicationName: 'm10bot:after' }, (database) =>
    deps.revisions.read(target, database),
  );
  if (now.kind !== 'ok') {
    const summary = `the backup ${path} is whole, but at which revision it was taken is not known: the database of ${target.name} ${explain(now)}`;
    return { kind: 'interrupted', outcome: unknown(summary) };
  }
  const revision = revisionLabel(now.value);
  if (!basename(path).includes(`-${inName(revision)}-`)) {
    const summary = `${target.name} went to ${sayRevision(now.value)} while it was dumped: ${path} is of neither state for certain. Take another one`;
    return { kind: 'bad', outcome: failed(summary) };
  }
  const { bytes, sha256, entries } = proof;
  const outcome = passed(
    `${target.name} at ${revision ?? 'no revision'} is backed up: ${sized(bytes)}, ${entries} entries, read to the end in ${spoken(proof.durationMs)}`,
    {
      output: [
        path,
        `${bytes} bytes`,
        `sha256 ${sha256}`,
        '',
        'Tables:',
        ...proof.tables,
        '',
        'A full read proves that the file is whole; only a restore into a scratch database proves more.',
      ].join('\n'),
      data: { path, bytes, sha256, revision, entries },
    },
  );
  return { kind: 'good', outcome };
}

function troubled(
  name: string,
  trouble: BackupTrouble,
  blockers: readonly string[] = [],
  leftover = '',
): Outcome {
  const behind = blockers[0] === undefined ? '' : `. In the way: ${blockers[0]}`;
  return failed(`${name} was not backed up: ${sayTrouble(trouble)}${behind}${leftover}`, {
    output: [...('evidence' in trouble ? [trouble.evidence] : []), ...blockers].join('\n'),
  });
}
