import { listed, plural } from '../../checks/outcome.js';
import { executedBefore, executionNotes } from '../../checks/plan/baseline.js';
import { shownPath } from '../../checks/plan/covered.js';
import { executedStatements, keptStatements } from '../../checks/plan/executed.js';
import { lookIn } from '../../checks/plan/judged.js';
import { approvedFiles, type MigrationPlan } from '../../checks/plan/migration-plan.js';
import type { Observed } from '../../clients/alembic/observed.js';
import type { MigrateResult } from '../../clients/alembic.js';
import type { TargetConfig } from '../../config.js';
import { shortLine } from '../../excerpt.js';
import type { Outcome, StepContext } from '../../runbook/step-kind.js';

/** What was sent in one step, and how it is to be compared. */
export interface Sent {
  /** One for each command of Alembic that ran, in order; null for one that was not observed. */
  readonly observed: readonly (Observed | null)[];
  /** What was approved; or why that is not known any more. */
  readonly plan: MigrationPlan | { readonly unknown: string };
  /** All steps came to their end. What broke off has not executed the rest, which its failure tells already. */
  readonly arrived: boolean;
}

export type Execution = Pick<Outcome, 'executed' | 'notes'> & {
  /** All statements that were not approved like this, to be read in full; empty when there are none. */
  readonly differing: string;
};

/** The observations of commands that were started, whatever became of them. */
export function observedOf(results: readonly MigrateResult[]): (Observed | null)[] {
  return results.filter(({ process }) => process.kind !== 'not_started').map(({ observed }) => observed);
}

/** An attempt that was followed by another one: what it did not commit has left nothing. */
export function stayedPart(observed: Observed): Observed {
  const stayed = new Set([...observed.committed, ...observed.uncertain]);
  return { ...observed, statements: observed.statements.filter((sent) => stayed.has(sent)) };
}

/** What was really executed, and how it differs from what was approved, however the step ended. */
export async function executionOf(sent: Sent, context: StepContext<TargetConfig>): Promise<Execution> {
  const { plan, arrived } = sent;
  const observed = sent.observed.flatMap((one) => (one === null ? [] : [one]));
  const unseen =
    observed.length < sent.observed.length || (arrived && observed.length === 0)
      ? ['what was executed could not be observed']
      : [];
  if (observed.length === 0) return { notes: unseen, differing: '' };
  const look = lookIn(context.target);
  const list = await executedStatements(observed, look);
  const executed = keptStatements(list.statements, list.whole && unseen.length === 0);
  if ('unknown' in plan) {
    const notes = [...unseen, `not compared with what was approved: ${plan.unknown}`];
    return { executed, notes, differing: '' };
  }
  const before = executedBefore(plan, context.elsewhere ?? []);
  const different = await executionNotes(list, {
    plan,
    before,
    look,
    arrived: arrived && unseen.length === 0,
    redact: context.redact,
  });
  const texts = different.statements.map(
    ({ text, note }) => `${text};${note === undefined ? '' : `  -- ${note}`}`,
  );
  return {
    executed,
    notes: [
      ...unseen,
      ...different.gaps,
      ...different.notes.map((note) => `${note}${arrived ? '' : whatStayed(observed)}`),
      ...unapprovedPrograms(plan, observed, context.redact),
      ...unapprovedFiles(plan, observed, context.target.directory),
    ],
    differing: texts.length === 0 ? '' : ['', '', 'Not as approved:', ...texts].join('\n'),
  };
}

/** A step that broke off: its summary says what stayed in detail. */
function whatStayed(observed: readonly Observed[]): string {
  const nothing = observed.every(({ committed, uncertain }) => committed.length + uncertain.length === 0);
  return nothing ? ' (rolled back)' : '';
}

/** Programs that only the run started: what they did is in no record. */
function unapprovedPrograms(
  plan: MigrationPlan,
  observed: readonly Observed[],
  redact: (text: string) => string,
): string[] {
  const approved = new Set((plan.observed?.programs ?? []).map((argv) => JSON.stringify(argv)));
  const started = observed.flatMap(({ programs }) =>
    programs.filter((argv) => !approved.has(JSON.stringify(argv))).map((argv) => argv.join(' ')),
  );
  if (started.length === 0) return [];
  const shown = listed(
    [...new Set(started)].slice(0, namedFiles).map((line) => shortLine(line, 100, redact)),
  );
  return [
    `${plural(started.length, 'program')} started that no request showed, and whose work was not observed: ${shown}`,
  ];
}

const namedFiles = 3;

/** Own files that only the run read: what is read beside the plan cannot be approved beforehand, and is told. */
function unapprovedFiles(plan: MigrationPlan, observed: readonly Observed[], directory: string): string[] {
  const approved = approvedFiles(plan);
  const found = observed.flatMap(({ files }) =>
    [...files].flatMap(([path, { package: name }]) =>
      name === null && approved[path] === undefined ? [shownPath(path, directory)] : [],
    ),
  );
  const paths = [...new Set(found)].sort();
  if (paths.length === 0) return [];
  const shown = listed(paths.slice(0, namedFiles));
  const more = paths.length > namedFiles ? ` and ${paths.length - namedFiles} more` : '';
  return [`${plural(paths.length, 'file')} read that no approval covers: ${shown}${more}`];
}
