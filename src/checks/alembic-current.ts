import { z } from 'zod';
import { type RevisionTable, readRevision } from '../clients/postgres/revision.js';
import type { TargetConfig } from '../config.js';
import { defineKind, type Outcome, type StepContext, type StepKind } from '../runbook/step-kind.js';
import { alembicFor } from './alembic-client.js';
import type { StepDeps } from './deps.js';
import { rendered } from './environment.js';
import { failed, passed, unknown } from './outcome.js';
import { readCode } from './plan/code.js';
import { isAt, revisionQuery, sayRevision } from './revision.js';
import { unread, withSession } from './session.js';

const Args = z.strictObject({
  /** Exactly where the database must stand. */
  revision: z
    .string('expected the whole name of a revision')
    .regex(/^\w[\w.]*$/, 'expected the whole name of a revision, no relative step such as -1'),
  /** Ask `alembic current` as well, which takes about a second and proves the command's environment. */
  program: z.boolean('expected true or false').default(false),
});
type Args = z.infer<typeof Args>;

/** Exactly one revision, read from the database itself, which the code must know. */
export function alembicCurrent(deps: StepDeps): StepKind<TargetConfig> {
  return defineKind({
    name: 'alembic.current',
    changes: false,
    args: Args,
    describe: (args, { target }) => ({
      words: `Make sure that ${target.name} is at exactly ${args.revision}.`,
      commands: [
        revisionQuery,
        ...(args.program ? [`cd ${target.directory}`, rendered(target, ['alembic', 'current'])] : []),
      ],
    }),
    async run(args, context) {
      const { target } = context;
      const read = await withSession(target, context, readRevision);
      if (read.kind !== 'ok') return unread(target.name, 'the revision', read);
      if (!isAt(read.value, args.revision)) return elsewhere(deps, args, context, read.value);
      const code = await readCode(deps, target);
      if (code.kind === 'failed') return unknown(`whether the code knows ${args.revision}: ${code.why}`);
      if (!code.code.revisions.has(args.revision) && !(await codeKnows(deps, args.revision, context))) {
        return failed(
          `${target.name} is at ${args.revision}, but the code in ${target.directory} does not know this revision: it is an older or another version`,
        );
      }
      return args.program ? askAlembic(deps, args, context) : passed(asExpected(args, target));
    },
  });
}

function asExpected(args: Args, target: TargetConfig): string {
  return `${target.name} is at ${args.revision}, as expected`;
}

/** A script may build its name in ways that only Python can follow. */
async function codeKnows(
  deps: StepDeps,
  revision: string,
  context: StepContext<TargetConfig>,
): Promise<boolean> {
  const alembic = alembicFor(deps, context.target, context.applicationName, context.childId);
  return (await alembic.script(revision)).kind === 'script';
}

async function askAlembic(deps: StepDeps, args: Args, context: StepContext<TargetConfig>): Promise<Outcome> {
  const { target } = context;
  const alembic = alembicFor(deps, target, context.applicationName, context.childId);
  const current = await alembic.current(context.signal);
  switch (current.kind) {
    case 'at':
      return current.revision === args.revision
        ? passed(`${asExpected(args, target)}; Alembic says the same`)
        : failed(
            `the database of ${target.name} says ${args.revision}, but Alembic says ${current.revision}: its environment leads to another database`,
          );
    case 'none':
    case 'several': {
      const said = current.kind === 'none' ? 'no revision' : current.revisions.join(' and ');
      return failed(
        `the database of ${target.name} says ${args.revision}, but Alembic says ${said}: its environment leads to another database`,
      );
    }
    case 'ended_early':
      return unknown(`Alembic was ended before it could say the revision of ${target.name}`, {
        output: current.evidence,
      });
    default:
      return failed(
        `${target.name} is at ${args.revision}, but Alembic cannot work there (${firstLine(current.evidence)})`,
        {
          output: current.evidence,
        },
      );
  }
}

/** Says how what was found relates to what was expected: before it, past it, or neither. */
async function elsewhere(
  deps: StepDeps,
  args: Args,
  context: StepContext<TargetConfig>,
  stored: RevisionTable,
): Promise<Outcome> {
  const { target } = context;
  const found = `${target.name} is at ${sayRevision(stored)}, expected exactly ${args.revision}`;
  switch (stored.kind) {
    case 'none':
      return failed(`${found}: nothing has been migrated here`);
    case 'several':
      return failed(`${found}: two branches were applied and have to be merged first`);
    case 'at':
      break;
  }
  const alembic = alembicFor(deps, target, context.applicationName, context.childId);
  const history = await alembic.history(null, 'heads');
  if (history.kind !== 'history') return failed(found, { output: history.evidence });
  const parents = new Map(history.revisions.map((r) => [r.revision, r.parents]));
  const leadsTo = (later: string, earlier: string): boolean =>
    (parents.get(later) ?? []).some((parent) => parent === earlier || leadsTo(parent, earlier));
  if (!parents.has(stored.revision)) return failed(`${found}: the code does not know where the database is`);
  if (!parents.has(args.revision)) return failed(`${found}: the code does not know the expected revision`);
  if (leadsTo(stored.revision, args.revision)) return failed(`${found}: it is past it`);
  if (leadsTo(args.revision, stored.revision)) return failed(`${found}: it is not there yet`);
  return failed(`${found}: the two are on different branches`);
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
