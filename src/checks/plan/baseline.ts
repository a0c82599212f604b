import { differences } from '../../clients/sql/differences.js';
import { parseScript } from '../../clients/sql/parse-script.js';
import { shortLine } from '../../excerpt.js';
import type { ExecutedElsewhere } from '../../runbook/executed.js';
import { plural } from '../outcome.js';
import { RevisionList } from '../revision-list.js';
import { printedStatements, type Told } from './executed.js';
import { formsOf } from './forms.js';
import { type MigrationPlan, versionName } from './migration-plan.js';

/** What the same migration executed on another target of this run, the latest one. */
export function executedBefore(
  plan: Pick<MigrationPlan, 'direction' | 'from' | 'to'>,
  elsewhere: readonly ExecutedElsewhere[],
): ExecutedElsewhere | null {
  const same = (given: unknown, wanted: readonly string[]) => {
    const list = RevisionList.safeParse(given);
    return list.success && list.data.join() === [...wanted].sort().join();
  };
  const found = elsewhere.findLast(
    (each) =>
      each.uses === `alembic.${plan.direction}` &&
      same(each.with.from, plan.from) &&
      same(each.with.to, plan.to),
  );
  return found ?? null;
}

/** Statements of an earlier target, as they are compared: by the fingerprint that was kept with each. */
export async function toldBefore(before: ExecutedElsewhere): Promise<Told[]> {
  return Promise.all(
    before.executed.statements.map(async ({ text, effect, outside, fingerprint }) => {
      const [parsed] = (await parseScript(text)).statements;
      const [form] = parsed === undefined ? [] : await formsOf(parsed, []);
      const normalForm = fingerprint ?? form?.normalForm ?? text;
      return { text, effect, outside, normalForm, otherForms: [], shape: form?.shape ?? normalForm };
    }),
  );
}

/** What people see before they approve: the printed SQL, and what an earlier target executed beyond it. */
export async function unprintedOf(plan: MigrationPlan, before: ExecutedElsewhere): Promise<Told[]> {
  const executed = await toldBefore(before);
  if (plan.sql.kind === 'unprintable') return executed;
  const printed = await printedStatements(plan.sql.text, versionName(plan));
  return [...differences(printed, executed).notApproved];
}

/** Whether what was executed is what was approved, told statement by statement; empty when it is. */
export async function executionNotes(
  plan: MigrationPlan,
  executed: readonly Told[],
  whole: boolean,
  before: ExecutedElsewhere | null,
  redact: (text: string) => string,
): Promise<string[]> {
  if (!whole) {
    return ['more was executed than could be recorded, so whether it is what was approved is not known'];
  }
  if (before === null && plan.sql.kind === 'unprintable') return [];
  const printed =
    plan.sql.kind === 'printed' ? await printedStatements(plan.sql.text, versionName(plan)) : [];
  const approved = before === null ? printed : [...(await toldBefore(before))];
  const { notApproved, notExecuted } = differences(approved, executed);
  // A statement of the printed SQL that the earlier target left out was approved as well.
  const forms = new Set(printed.map((p) => p.normalForm));
  const beyond = notApproved.filter((s) => !forms.has(s.normalForm));
  const shapes = new Set([...approved, ...printed].map((s) => s.shape));
  const strange = beyond.filter((s) => !shapes.has(s.shape));
  const otherValues = beyond.filter((s) => shapes.has(s.shape));
  const source = before === null ? 'the printed SQL' : `the printed SQL and ${before.target}`;
  return [
    ...(strange.length === 0
      ? []
      : [
          `${plural(strange.length, 'statement')} executed that ${source} did not have: ${sayThem(strange, redact)}`,
        ]),
    ...(otherValues.length === 0
      ? []
      : [
          `${plural(otherValues.length, 'statement')} executed in another order or with other values than in ${source}: ${sayThem(otherValues, redact)}`,
        ]),
    ...(notExecuted.length === 0 || otherValues.length > 0
      ? []
      : [
          `${plural(notExecuted.length, 'statement')} of ${source} not executed: ${sayThem(notExecuted, redact)}`,
        ]),
  ];
}

const shown = 3;

function sayThem(statements: readonly Told[], redact: (text: string) => string): string {
  const lines = statements.slice(0, shown).map(({ text }) => shortLine(text, 120, redact));
  return `${lines.join('; ')}${statements.length > shown ? '; …' : ''}`;
}
