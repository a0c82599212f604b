import { z } from 'zod';
import { ancestorsOf } from '../clients/alembic/heads.js';
import type { ObservedScript } from '../clients/alembic/observed.js';
import type { ReadResult } from '../clients/alembic.js';
import { readExpectedDatabase } from '../clients/postgres/expected.js';
import { placeName, type RevisionTable, type VersionPlace } from '../clients/postgres/revision.js';
import type { TargetConfig } from '../config.js';
import { defineKind, type Outcome, type StepContext, type StepKind } from '../runbook/step-kind.js';
import { alembicFor } from './alembic-client.js';
import type { StepDeps } from './deps.js';
import { rendered } from './environment.js';
import { failed, passed, unknown } from './outcome.js';
import { databaseProblem } from './plan/database.js';
import { isAt, revisionsIn, sayRevision, sayRevisions } from './revision.js';
import { RevisionList } from './revision-list.js';
import { unread, withSession } from './session.js';

const Args = z.strictObject({
  /** Exactly where the database must be; several for one with several heads. */
  revision: RevisionList,
  /** Alembic is started in any case, which proves the command's environment; kept for runbooks that have it. */
  program: z.boolean('expected true or false').default(true),
});
type Args = z.infer<typeof Args>;

/** Exactly these revisions, read from the database itself and through Alembic, whose code must know them. */
export function alembicCurrent(deps: StepDeps): StepKind<TargetConfig> {
  return defineKind({
    name: 'alembic.current',
    changes: false,
    args: Args,
    describe: (args, { target }) => ({
      words: `Make sure that ${target.name} is at exactly ${sayRevisions(args.revision)}.`,
      commands: [
        'SELECT version_num FROM the version table that env.py names',
        `cd ${target.directory}`,
        rendered(target, ['alembic', 'current']),
      ],
    }),
    run: (args, context) => look(deps, args, context),
  });
}

async function look(deps: StepDeps, args: Args, context: StepContext<TargetConfig>): Promise<Outcome> {
  const { target, applicationName, childId, signal } = context;
  const expected = await withSession(target, context, readExpectedDatabase);
  if (expected.kind !== 'ok') return unread(target.name, 'the revision', expected);
  // Alembic first: only it can tell where it keeps the revision.
  const read = await alembicFor(deps, target, applicationName, childId).read(expected.value, signal);
  if (read.observed !== null) deps.revisions.learn(target, read.observed);
  const place = await deps.revisions.placeOf(target);
  const stored = await withSession(target, context, (database) => deps.revisions.read(target, database));
  if (stored.kind !== 'ok') return unread(target.name, 'the revision', stored);
  const scripts = read.observed?.scripts?.revisions ?? null;
  return isAt(stored.value, args.revision)
    ? asExpected(args, target.name, read, scripts)
    : elsewhere(args, target.name, stored.value, place, read, scripts);
}

function asExpected(
  args: Args,
  name: string,
  read: ReadResult,
  scripts: readonly ObservedScript[] | null,
): Outcome {
  const wanted = sayRevisions(args.revision);
  const at = `${name} is at ${wanted}, as expected`;
  const problem = read.observed === null ? null : databaseProblem(name, read.observed);
  if (problem !== null) return failed(`${name} is at ${wanted}, but ${lowerFirst(problem)}`);
  const missing = scripts === null ? [] : args.revision.filter((r) => !scripts.some((s) => s.revision === r));
  if (missing.length > 0) {
    return failed(
      `${name} is at ${wanted}, but the code does not know ${sayRevisions(missing)}: it is an older or another version`,
    );
  }
  if (read.kind === 'ended_early') {
    const output = read.evidence;
    return unknown(`${at}, but Alembic was ended before it had looked at ${name}`, { output });
  }
  if (read.kind === 'read_only_elsewhere') {
    const output = read.evidence;
    return failed(
      `${name} is at ${wanted}, but Alembic tries to change another database at each start, which is refused (${firstLine(output)})`,
      { output },
    );
  }
  if (read.kind !== 'read' && read.kind !== 'read_only') {
    const output = read.evidence;
    return failed(`${name} is at ${wanted}, but Alembic cannot work there (${firstLine(output)})`, {
      output,
    });
  }
  if (read.kind === 'read_only') {
    return passed(`${at}; env.py changes the database at each start, which was refused while only reading`);
  }
  const heads = read.kind === 'read' ? [...read.heads].sort() : [];
  if (heads.join() !== args.revision.join()) {
    return failed(
      `the database of ${name} is at ${wanted}, but Alembic finds ${sayRevisions(heads)}: it reads another database or another version table`,
    );
  }
  if (read.observed === null) {
    return passed(
      `${at}; Alembic prints the same, but could not be observed, so which database it reads is not verified`,
    );
  }
  return passed(`${at}, and Alembic works on the same database`);
}

/** How what was found relates to what was expected: before it, past it, or neither. */
function elsewhere(
  args: Args,
  name: string,
  stored: RevisionTable,
  place: VersionPlace,
  read: ReadResult,
  scripts: readonly ObservedScript[] | null,
): Outcome {
  const at = revisionsIn(stored);
  const found = `${name} is at ${sayRevision(stored)}, expected exactly ${sayRevisions(args.revision)}`;
  const output = read.kind === 'read' ? '' : read.evidence;
  if (stored.kind === 'none') {
    const table = placeName(place);
    const what = stored.table ? `${table} has no row` : `there is no table ${table}`;
    const problem = read.observed === null ? null : databaseProblem(name, read.observed);
    return failed(`${found}: ${what}${problem === null ? '' : `. ${problem}`}`, { output });
  }
  if (scripts === null) return failed(found, { output });
  const known = (revision: string) => scripts.some((s) => s.revision === revision);
  const strangers = at.filter((revision) => !known(revision));
  if (strangers.length > 0) {
    return failed(`${found}: the code does not know ${sayRevisions(strangers)}`, { output });
  }
  const absent = args.revision.filter((revision) => !known(revision));
  if (absent.length > 0)
    return failed(`${found}: the code does not know ${sayRevisions(absent)}`, { output });
  const covers = (later: readonly string[], earlier: readonly string[]) => {
    const below = new Set([...later, ...ancestorsOf(later, scripts)]);
    return earlier.every((revision) => below.has(revision));
  };
  if (covers(at, args.revision)) return failed(`${found}: it is past it`, { output });
  if (covers(args.revision, at)) return failed(`${found}: it is not there yet`, { output });
  return failed(`${found}: the two are on different branches`, { output });
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
