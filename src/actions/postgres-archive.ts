import { rm } from 'node:fs/promises';
import { z } from 'zod';
import type { StepDeps } from '../checks/deps.js';
import { commandEnvironment } from '../checks/environment.js';
import { failed, listed, passed, sized } from '../checks/outcome.js';
import { quoted } from '../checks/quoted.js';
import { revisionLabel } from '../checks/revision.js';
import { explain, withSession } from '../checks/session.js';
import { cancelSessions } from '../clients/postgres/activity.js';
import { readRevision } from '../clients/postgres/revision.js';
import type { Queryable } from '../clients/postgres.js';
import { dumpTables } from '../clients/table-dump.js';
import type { TargetConfig } from '../config.js';
import { Duration } from '../runbook/definition.js';
import { defineKind, type Outcome, type StepContext, type StepKind } from '../runbook/step-kind.js';
import { endSessions } from './alembic/after.js';
import { readBefore } from './alembic/before.js';
import { sayBlockers, watchingBlockers } from './alembic/watch.js';
import { markRows } from './archive/marks.js';
import { countsPath, keepCounts, proveArchive } from './archive/prove.js';
import { findTables, quotedTable } from './archive/tables.js';
import { folderProblem, keptFile, keptPrefix } from './backup/folder.js';
import { sayLeftover } from './backup/leftover.js';
import { probeDump } from './backup/probe.js';
import { setAside } from './backup/set-aside.js';
import { sayTrouble } from './backup/trouble.js';

// A line break would also break the lines in which the file is read back.
const Name = z
  .string('expected the name of a table')
  .regex(/^[^\p{Cc}]{1,63}$/u, 'expected a name of 1 to 63 characters, without line breaks');

export const ArchiveArgs = z.strictObject({
  schema: Name,
  tables: z.array(Name, 'expected a list of tables').min(1, 'expected at least one table'),
  /** How long counting and pg_dump wait for a lock, ms. */
  'lock-timeout': Duration.default(10_000),
});
type Args = z.infer<typeof ArchiveArgs>;

/** Keeps the rows of tables that are about to be dropped, in a file that pg_restore reads. */
export function postgresArchive(deps: StepDeps): StepKind<TargetConfig> {
  const { directory, minFreeBytes } = deps.config.backups;
  return defineKind({
    name: 'postgres.archive',
    changes: true,
    args: ArchiveArgs,
    describe: (args, { target, step }) => {
      const file = `${directory}/${label(args)}-run…-${target.name}-${step.id}-….dump`;
      const relations = args.tables.map((name) => quotedTable({ schema: args.schema, name }));
      return {
        words: `Keep the rows of ${listed(args.tables)} of ${args.schema} on ${target.name} in ${directory}, which must have ${sized(minFreeBytes)} free: all of one moment, counted there and again in the file. A table that is absent is left out.`,
        commands: [
          'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_export_snapshot();',
          ...relations.map(
            (relation) =>
              `SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM ONLY ${relation} t;`,
          ),
          `PGHOST=… PGDATABASE=<${target.name}> pg_dump --format=custom --no-password --lock-wait-timeout=${args['lock-timeout']} --snapshot=… ${relations.map((r) => quoted(`--table=${r}`)).join(' ')} --file=${file}.part`,
          `mv ${file}.part ${file}`,
          `pg_restore --file=/dev/null ${file}`,
          `pg_restore --data-only --file=${file}.rows.part ${file}`,
          `sha256sum ${file}`,
        ],
      };
    },
    survey: async (args) => ({
      kind: 'surveyed',
      parts: { folder: directory, tables: args.tables.map((t) => `${args.schema}.${t}`).join(', ') },
      sql: [],
      warnings: [],
    }),
    run: (args, context) => archive(deps, args, context),
    // Where there was nothing to archive there is no file either: that is simply found out again.
    probe: (args, context) =>
      probeDump(deps, context, keptPrefix(context, label(args)), async (path) => {
        const proven = await proveArchive(deps, context, args.schema, path);
        return proven.kind === 'interrupted' ? { unclear: proven.outcome.summary } : proven.outcome;
      }),
  });
}

type Kept =
  | { readonly kind: 'kept'; readonly path: string }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failed'; readonly why: string; readonly output?: string };

/** Also for a downgrade that finds rows which an earlier archive does not hold. */
export async function archive(
  deps: StepDeps,
  args: Args,
  context: StepContext<TargetConfig>,
): Promise<Outcome> {
  const { target, applicationName } = context;
  const { name } = target;
  const before = await readBefore(deps.revisions, target, applicationName);
  if (before.kind === 'unread') {
    // The sentence has named the target already.
    const why = before.why.replace(`the database of ${name}`, 'its database');
    return failed(`${name} was not archived: ${why}`);
  }
  if (before.inTheWay !== null) return failed(`${name} was not archived: ${before.inTheWay}`);
  const { value: read, blocked } = await watchingBlockers(target, applicationName, () =>
    cancelledBy(context, () =>
      // Under the name of the attempt: a count that outlives the bot is then found by the probe.
      withSession(
        target,
        {
          applicationName,
          statementTimeoutMs: context.step.timeout,
          lockTimeoutMs: args['lock-timeout'],
        },
        (database) =>
          database.transaction((inside) => keep(deps, args, context, inside), {
            isolation: 'repeatable read',
            readOnly: true,
          }),
      ),
    ),
  );
  const kept: Kept =
    read.kind === 'ok' ? read.value : { kind: 'failed', why: `its database ${explain(read)}` };
  switch (kept.kind) {
    case 'nothing':
      return passed(`nothing to archive: ${name} has none of ${listed(args.tables)}`);
    case 'failed': {
      const after = await endSessions(target, context);
      const [first, ...others] = sayBlockers(blocked);
      const why = context.signal.aborted ? `it was stopped or ran out of time (${kept.why})` : kept.why;
      const behind = first === undefined ? '' : `. In the way: ${first}`;
      return failed(`${name} was not archived: ${why}${behind}${sayLeftover(after)}`, {
        output: [kept.output ?? '', ...others].join('\n').trim(),
      });
    }
    case 'kept': {
      const proven = await proveArchive(deps, context, args.schema, kept.path);
      if (proven.kind === 'good') return proven.outcome;
      const { result, summary, output } = proven.outcome;
      const aside = await setAside(kept.path);
      return { result, summary: `${summary}. The file is kept as ${aside}`, output: output ?? '' };
    }
  }
}

/** Counts and dumps inside one transaction, whose snapshot pg_dump takes over. */
async function keep(
  deps: StepDeps,
  args: Args,
  context: StepContext<TargetConfig>,
  inside: Queryable,
): Promise<Kept> {
  const { target, applicationName } = context;
  const found = await findTables(inside, args.schema, args.tables);
  if (found.kind === 'refused') return { kind: 'failed', why: found.why };
  if (found.tables.length === 0) return { kind: 'nothing' };
  // Once as the archive, once more as the SQL in which its rows are counted.
  const bytes = found.tables.reduce((sum, table) => sum + table.bytes, 0);
  const folder = await folderProblem(deps, 2 * bytes);
  if (folder !== null) return { kind: 'failed', why: folder };
  // The transaction sits idle while pg_dump works on its snapshot.
  await inside.query('set local idle_in_transaction_session_timeout = 0');
  const Snapshot = z.object({ snapshot: z.string() });
  const [exported] = await inside.rows(Snapshot, 'select pg_export_snapshot() as snapshot');
  const place = await deps.revisions.placeOf(target);
  const stored = await readRevision(inside, place);
  const rows: Record<string, number> = {};
  const marks: Record<string, string> = {};
  for (const table of found.tables.filter((each) => each.holdsRows)) {
    const marked = await markRows(inside, table);
    rows[table.name] = marked.rows;
    marks[table.name] = marked.mark;
  }
  const path = keptFile(deps, context, label(args), revisionLabel(stored));
  // Before the dump: a finished dump then always has its counts beside it.
  const unwritten = await keepCounts(path, { rows, marks });
  if (unwritten !== null) return { kind: 'failed', why: unwritten };
  const dumped = await dumpTables({
    processes: deps.processes,
    id: context.childId,
    env: commandEnvironment(target, applicationName),
    databaseUrl: target.databaseUrl,
    applicationName,
    schema: args.schema,
    tables: found.tables.map((table) => table.name),
    snapshot: exported?.snapshot ?? '',
    path,
    timeoutMs: context.step.timeout,
    lockTimeoutMs: args['lock-timeout'],
    signal: context.signal,
  });
  if (dumped.kind === 'dumped') return { kind: 'kept', path };
  await rm(countsPath(path), { force: true });
  return { kind: 'failed', why: sayTrouble(dumped), output: dumped.evidence };
}

/** A statement of this process's own session does not hear the signal: the server is asked to cancel it. */
async function cancelledBy<T>(context: StepContext<TargetConfig>, work: () => Promise<T>): Promise<T> {
  const { target, signal } = context;
  let cancelling: Promise<unknown> = Promise.resolve();
  const cancel = () => {
    cancelling = withSession(target, { applicationName: 'm10bot:cancel' }, (database) =>
      cancelSessions(database, context),
    );
  };
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await work();
  } finally {
    signal.removeEventListener('abort', cancel);
    await cancelling;
  }
}

function label(args: Args): string {
  // A schema can be called anything; a file cannot.
  return `archive_${args.schema.replace(/[^\w.]/g, '_').slice(0, 30)}`;
}
