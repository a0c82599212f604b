import { createHash } from 'node:crypto';
import { migrationContext, type Observed, type ObservedStatement } from '../../clients/alembic/observed.js';
import type { ReportValue } from '../../clients/alembic/report.js';
import type { TableName } from '../../clients/sql/bookkeeping.js';
import { changesVersionRow } from '../../clients/sql/bookkeeping.js';
import { executedForm, type ParamStyle } from '../../clients/sql/executed.js';
import { effectOfFunction } from '../../clients/sql/functions.js';
import { parseScript } from '../../clients/sql/parse-script.js';
import type { ParsedStatement as SqlStatement } from '../../clients/sql/statement.js';
import type { Executed, ExecutedStatement } from '../../runbook/executed.js';
import { type Formed, formsOf } from './forms.js';
import { type Judged, judgeOf, type Look } from './judged.js';
import { createTurns } from './turns.js';

/** A statement of a migration, printed or executed, in the forms by which it is compared. */
export interface Told extends Formed {
  readonly text: string;
  readonly effect: ExecutedStatement['effect'];
  readonly outside: boolean;
  /** Why a query may do more than read. */
  readonly note?: string;
}

/**
 * The statements of printed SQL that count: none that only sets up a transaction or reads.
 * @param look null: every query counts, for none is known to only read
 */
export async function printedStatements(sql: string, version: TableName, look: Look | null): Promise<Told[]> {
  const { statements } = await parseScript(sql);
  const judge = await judgeOf(statements, look);
  const told: Told[] = [];
  const turn = createTurns();
  for (const statement of statements) {
    await turn();
    const judged = judge(statement, version);
    if (judged !== null) told.push(...(await toldOf(statement, judged, false)));
  }
  return told;
}

export interface ExecutedList {
  readonly statements: readonly Told[];
  /** Nothing that was executed is missing. */
  readonly whole: boolean;
}

/** The statements that an observed Alembic executed, in order, wherever in env.py or a migration they came from. */
export async function executedStatements(observed: readonly Observed[], look: Look): Promise<ExecutedList> {
  const sent: {
    readonly parsed: Awaited<ReturnType<typeof parsedOf>>[number];
    readonly statement: ObservedStatement;
    readonly version: TableName;
  }[] = [];
  const turn = createTurns();
  for (const one of observed) {
    const version = versionTableOf(one);
    for (const statement of one.statements) {
      await turn();
      for (const parsed of await parsedOf(statement)) sent.push({ parsed, statement, version });
    }
  }
  const judge = await judgeOf(
    sent.map(({ parsed }) => parsed),
    look,
  );
  const statements: Told[] = [];
  for (const { parsed, statement, version } of sent) {
    await turn();
    const judged = judge(parsed, version, statement.target === false);
    if (judged === null) continue;
    statements.push(...(await toldOf(parsed, judged, statement.autocommit, parsed.otherForms)));
  }
  const whole = observed.every((o) => !o.truncated && !o.cut && o.statements.every((s) => !s.cut));
  return { statements, whole };
}

/** Those that leave something behind once they are committed, beside the row of the version table. */
export async function thatLeaveSomething(
  one: Observed,
  sent: readonly ObservedStatement[],
  look: Look,
): Promise<ObservedStatement[]> {
  const turn = createTurns();
  const parsed: SqlStatement[][] = [];
  for (const statement of sent) {
    await turn();
    parsed.push(await parsedOf(statement));
  }
  const judge = await judgeOf(parsed.flat(), look);
  const version = versionTableOf(one);
  return sent.filter(({ target }, index) =>
    parsed[index]?.some((statement) => {
      const effect = judge(statement, version, target === false)?.effect;
      return effect === 'changes' || effect === 'unknown' || (effect === 'reads' && callsMore(statement));
    }),
  );
}

/** A setting or a lock goes with its session; a function that is called beside it may do anything. */
function callsMore({ functions }: SqlStatement): boolean {
  return functions.some((name) => effectOfFunction(name) === null);
}

/** Whether a transaction changes the row of the version table for good: no savepoint takes it back. */
export async function movesVersion(one: Observed, sent: readonly ObservedStatement[]): Promise<boolean> {
  const parsed = (await Promise.all(sent.map(parsedOf))).flat();
  const version = versionTableOf(one);
  return (
    parsed.some((each) => changesVersionRow(each, version)) &&
    !parsed.some((each) => each.transaction === 'rollback to')
  );
}

function versionTableOf(observed: Observed): TableName {
  const context = migrationContext(observed);
  return { schema: context?.schema ?? null, table: context?.table ?? 'alembic_version' };
}

/** As the end of a step keeps them. */
export function keptStatements(statements: readonly Told[], whole = true): Executed {
  return {
    statements: statements.map(({ text, effect, outside, normalForm, note }) => ({
      text,
      effect,
      outside,
      fingerprint: normalForm,
      ...(note === undefined ? {} : { note }),
    })),
    count: statements.length,
    sha256: digestOf(statements.map((s) => s.normalForm)),
    ...(whole ? {} : { partial: true }),
  };
}

/** Of the fingerprints of all statements, in order. */
export function digestOf(fingerprints: readonly string[]): string {
  return createHash('sha256').update(fingerprints.join('\n')).digest('hex');
}

/** A statement as the parser reads it, once for each row of its parameters. */
export async function parsedOf(sent: ObservedStatement) {
  const rows = sent.parameters.length === 0 ? [null] : sent.parameters;
  const parsed = await Promise.all(
    rows.map((row) => executedForm(sent.sql, row === null ? null : boundOf(row), styleOf(sent.style))),
  );
  return parsed.flat();
}

function styleOf(style: string | null): ParamStyle {
  if (style === 'pyformat' || style === 'format') return style;
  return 'numeric';
}

type Row = Exclude<ObservedStatement['parameters'][number], null>;

function boundOf(row: Row): readonly unknown[] | Record<string, unknown> {
  return Array.isArray(row)
    ? row.map(boundValue)
    : Object.fromEntries(Object.entries(row).map(([key, value]) => [key, boundValue(value)]));
}

/** Numbers by their digits; what is no plain value is compared as text. */
function boundValue(value: ReportValue): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  return ['int', 'float', 'Decimal'].includes(value.type) ? { number: value.text } : value.text;
}

async function toldOf(
  statement: SqlStatement,
  { effect, note }: Judged,
  outside: boolean,
  otherForms: readonly string[] = [],
): Promise<Told[]> {
  const forms = await formsOf(statement, otherForms);
  const told = { text: statement.text, effect, outside, ...(note === null ? {} : { note }) };
  return forms.map((form) => ({ ...form, ...told }));
}
