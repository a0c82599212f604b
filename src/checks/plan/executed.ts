import { createHash } from 'node:crypto';
import { migrationContext, type Observed, type ObservedStatement } from '../../clients/alembic/observed.js';
import type { ReportValue } from '../../clients/alembic/report.js';
import type { TableName } from '../../clients/sql/bookkeeping.js';
import { isBookkeeping, touchesOnly } from '../../clients/sql/bookkeeping.js';
import { executedForm, type ParamStyle } from '../../clients/sql/executed.js';
import { effectOfFunction } from '../../clients/sql/functions.js';
import { parseScript } from '../../clients/sql/parse-script.js';
import type { ParsedStatement } from '../../clients/sql/statement.js';
import type { Executed, ExecutedStatement } from '../../runbook/executed.js';
import { type Formed, formsOf } from './forms.js';

/** A statement of a migration, printed or executed, in the forms by which it is compared. */
export interface Told extends Formed {
  readonly text: string;
  readonly effect: ExecutedStatement['effect'];
  readonly outside: boolean;
}

/** The statements of printed SQL that count: what a session is set up with and plain reads are none. */
export async function printedStatements(sql: string, version: TableName): Promise<Told[]> {
  const { statements } = await parseScript(sql);
  const told: Told[] = [];
  for (const statement of statements.filter((each) => counts(each, version))) {
    told.push(...(await toldOf(statement, false)));
  }
  return told;
}

/** The statements that an observed Alembic executed, in order, wherever in env.py or a migration they came from. */
export async function executedStatements(
  observed: readonly Observed[],
): Promise<{ readonly statements: readonly Told[]; readonly whole: boolean }> {
  const statements: Told[] = [];
  for (const one of observed) {
    const version = versionTableOf(one);
    for (const sent of one.statements) {
      for (const parsed of await parsedOf(sent)) {
        if (!counts(parsed, version)) continue;
        statements.push(...(await toldOf(parsed, sent.autocommit, parsed.otherForms)));
      }
    }
  }
  const whole = observed.every((o) => !o.truncated && !o.cut && o.statements.every((s) => !s.cut));
  return { statements, whole };
}

/** Whether a statement that was made last leaves anything behind beside the row of the version table. */
export async function leavesSomething(one: Observed, sent: ObservedStatement): Promise<boolean> {
  const parsed = await parsedOf(sent);
  return parsed.some((each) => counts(each, versionTableOf(one)) && outlivesSession(each));
}

/** A setting or a lock goes with its session; a function that is called beside it may do anything. */
function outlivesSession({ effect, functions }: ParsedStatement): boolean {
  if (effect !== 'session' && effect !== 'locks') return true;
  return functions.some((name) => !isPlain(name) && effectOfFunction(name) === null);
}

/** Whether a transaction changes the row of the version table for good: no savepoint takes it back. */
export async function movesVersion(one: Observed, sent: readonly ObservedStatement[]): Promise<boolean> {
  const parsed = (await Promise.all(sent.map(parsedOf))).flat();
  const version = versionTableOf(one);
  return (
    parsed.some((each) => isBookkeeping(each, version)) &&
    !parsed.some((each) => each.transaction === 'rollback to')
  );
}

function versionTableOf(observed: Observed): TableName {
  const context = migrationContext(observed);
  return { schema: context?.schema ?? null, table: context?.table ?? 'alembic_version' };
}

/** As the end of a step keeps them. */
export function keptStatements(statements: readonly Told[]): Executed {
  return {
    statements: statements.map(({ text, effect, outside, normalForm }) => ({
      text,
      effect,
      outside,
      fingerprint: normalForm,
    })),
    count: statements.length,
    sha256: createHash('sha256')
      .update(statements.map((s) => s.normalForm).join('\n'))
      .digest('hex'),
  };
}

function counts(statement: ParsedStatement, version: TableName): boolean {
  if (statement.effect === 'transaction') return false;
  if (statement.node === 'VariableShowStmt') return false;
  if (statement.effect === 'reads') return statement.functions.some((name) => !isPlain(name));
  const bookkeeping = ['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'CreateStmt', 'DropStmt'];
  return !(bookkeeping.includes(statement.node ?? '') && touchesOnly(statement, version));
}

/** Functions that drivers, SQLAlchemy and people read with; any other one may do more than its name tells. */
const plain =
  /^(pg_catalog\..+|pg_\w+_is_visible|pg_get_\w+|format_type|col_description|obj_description|version|current_schemas?|current_setting|current_database|to_regclass|count|min|max|sum|avg|coalesce|lower|upper|length|array_agg|string_agg|unnest|generate_\w+|now|exists|has_\w+_privilege)$/i;

function isPlain(name: string): boolean {
  return plain.test(name);
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
  statement: ParsedStatement,
  outside: boolean,
  otherForms: readonly string[] = [],
): Promise<Told[]> {
  const forms = await formsOf(statement, otherForms);
  return forms.map((form) => ({
    ...form,
    text: statement.text,
    effect: effectOf(statement),
    outside,
  }));
}

function effectOf({ effect }: ParsedStatement): ExecutedStatement['effect'] {
  switch (effect) {
    case 'reads':
    case 'locks':
    case 'session':
    case 'transaction':
      return 'reads';
    case 'opaque':
    case 'unparsed':
      return 'unknown';
    case 'throws-rows-away':
    case 'changes-schema':
    case 'changes-rows':
      return 'changes';
  }
}
