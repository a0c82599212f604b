import { differences } from '../../clients/sql/differences.js';
import { parseScript } from '../../clients/sql/parse-script.js';
import { shortLine } from '../../excerpt.js';
import type { Executed, ExecutedElsewhere } from '../../runbook/executed.js';
import { plural } from '../outcome.js';
import { RevisionList } from '../revision-list.js';
import { type Compared, compared } from './compared.js';
import { digestOf, type ExecutedList, printedStatements, type Told } from './executed.js';
import { shapeOfText } from './forms.js';
import type { Look } from './judged.js';
import { type MigrationPlan, versionName } from './migration-plan.js';
import { createTurns } from './turns.js';

/** What the same migration executed on another target of this run, the latest one that has a record. */
export function executedBefore(
  plan: Pick<MigrationPlan, 'direction' | 'from' | 'to'>,
  elsewhere: readonly ExecutedElsewhere[],
): ExecutedElsewhere | null {
  const same = (given: unknown, wanted: readonly string[]) => {
    const list = RevisionList.safeParse(given);
    return list.success && list.data.join() === [...wanted].sort().join();
  };
  const found = elsewhere.filter(
    (each) =>
      each.uses === `alembic.${plan.direction}` &&
      same(each.with.from, plan.from) &&
      same(each.with.to, plan.to),
  );
  return found.findLast(({ executed }) => executed !== null) ?? found.at(-1) ?? null;
}

/** Statements of an earlier target, as they are compared: by the fingerprint that was kept with each. */
export async function toldBefore({ statements }: Executed): Promise<Told[]> {
  const told: Told[] = [];
  const turn = createTurns();
  for (const { text, effect, outside, note, fingerprint } of statements) {
    await turn();
    const normalForm = fingerprint ?? (await formOfText(text));
    const shape = await shapeOfText(text, normalForm);
    const one = { text, effect, outside, normalForm, otherForms: [], shape };
    told.push(note === undefined ? one : { ...one, note });
  }
  return told;
}

async function formOfText(text: string): Promise<string> {
  return (await parseScript(text)).statements[0]?.normalForm ?? text;
}

export interface Unprinted {
  /** In the order in which they were executed, each as often as the printed SQL does not have it. */
  readonly statements: readonly Told[];
  /** What the printed SQL has was executed in another order. */
  readonly moved: boolean;
}

/** What an earlier target executed beyond the printed SQL, which people see before they approve. */
export async function unprintedOf(plan: MigrationPlan, executed: Executed): Promise<Unprinted> {
  const before = await toldBefore(executed);
  if (plan.sql.kind === 'unprintable') return { statements: before, moved: false };
  const printed = await printedStatements(plan.sql.text, versionName(plan), null);
  // By the forms of what was printed, which has more of them than what was kept.
  const { notExecuted, moved } = differences(before, printed);
  return { statements: notExecuted, moved };
}

/** How much of an earlier target's statements is not at hand; null when all of it is. */
export function incomplete({ target, executed }: ExecutedElsewhere): string | null {
  if (executed === null) return `what ${target} executed was not recorded`;
  const { statements, count } = executed;
  if (statements.length < count) {
    return `of ${counted(count)} statements that ${target} executed, ${counted(count - statements.length)} are not at hand here (the list is on the bot's other machine, or gone)`;
  }
  return executed.partial === true ? `${target} executed more than could be recorded` : null;
}

function counted(count: number): string {
  return count.toLocaleString('en-US');
}

export interface ComparedWith {
  readonly plan: MigrationPlan;
  readonly before: ExecutedElsewhere | null;
  readonly look: Look;
  /** All steps came to their end: what was not executed was left out. */
  readonly arrived: boolean;
  readonly redact: Redact;
}

type Redact = (text: string) => string;

/** How an execution differs from what was approved: in words, and every statement that the words do not quote. */
export interface Differing {
  /** What the comparison leaves out. */
  readonly gaps: readonly string[];
  readonly notes: readonly string[];
  readonly statements: readonly Told[];
}

const none: Differing = { gaps: [], notes: [], statements: [] };

/** Whether what was executed is what was approved, told kind by kind; empty when it is. */
export async function executionNotes(
  { statements, whole }: ExecutedList,
  { plan, before, look, arrived, redact }: ComparedWith,
): Promise<Differing> {
  const lost = whole ? [] : ['more was executed than could be recorded: the rest is not compared'];
  if (before === null && plan.sql.kind === 'unprintable') return { ...none, gaps: lost };
  const list = before?.executed ?? null;
  // Equal digests prove equal lists, even where one of them is not at hand.
  if (list !== null && whole && list.partial !== true && list.sha256 === digestOf(statements.map(formOf)))
    return none;
  const printed =
    plan.sql.kind === 'printed' ? await printedStatements(plan.sql.text, versionName(plan), look) : [];
  const gap = before === null ? null : incomplete(before);
  const difference = await compared(printed, list === null ? null : await toldBefore(list), statements);
  const source = sourceOf(before, gap);
  const complete = whole && arrived && gap === null;
  return {
    gaps: [...lost, ...(gap === null ? [] : [`compared with a part of what was approved: ${gap}`])],
    notes: notesOf({ ...difference, missing: complete ? difference.missing : [] }, source, redact),
    statements: [
      ...difference.strange,
      ...difference.repeated.map(({ statement }) => statement),
      ...difference.otherValues,
    ],
  };
}

function sourceOf(before: ExecutedElsewhere | null, gap: string | null): string {
  if (before === null || before.executed === null) return 'the printed SQL';
  return `the printed SQL and ${gap === null ? '' : 'the known part of '}${before.target}`;
}

const formOf = ({ normalForm }: Told) => normalForm;

function notesOf(
  { strange, repeated, otherValues, missing, moved }: Compared,
  source: string,
  redact: Redact,
): string[] {
  const lineOf = ({ text }: Told) => shortLine(text, 120, redact);
  const told = (statements: readonly Told[], words: string) =>
    statements.length === 0
      ? []
      : [`${plural(statements.length, 'statement')} ${words}: ${sayThem(statements.map(lineOf))}`];
  const often = repeated.map(
    ({ statement, executed, approved }) => `${lineOf(statement)} (${executed} times, approved ${approved})`,
  );
  return [
    ...told(strange, `executed that ${source} did not have`),
    ...(often.length === 0
      ? []
      : [`${plural(often.length, 'statement')} executed more often than approved: ${sayThem(often)}`]),
    ...told(otherValues, `executed with other values than in ${source}`),
    ...told(missing, `of ${source} not executed`),
    ...(moved ? [`executed in another order than in ${source}`] : []),
  ];
}

/** How many statements a note quotes. */
const quoted = 3;

function sayThem(lines: readonly string[]): string {
  const more = lines.length - quoted;
  return `${lines.slice(0, quoted).join('; ')}${more > 0 ? `; … and ${counted(more)} more in the output` : ''}`;
}
