import { z } from 'zod';
import type { TargetConfig } from '../config.js';
import { Duration } from '../runbook/definition.js';
import { defineKind, type Outcome, type PlanContext, type StepKind } from '../runbook/step-kind.js';
import { Expectation, mismatch, missing, show, wanted } from './expectation.js';
import { failed, listed, passed, plural, unknown } from './outcome.js';
import { unread, withSession } from './session.js';
import { readOnlyProblem, SqlText, sqlProblem } from './sql-text.js';

const Args = z.strictObject({
  sql: SqlText(readOnlyProblem),
  /** Columns of the one row that must come back. */
  expect: z
    .record(z.string(), Expectation)
    .refine((e) => Object.keys(e).length > 0, 'expected at least one column')
    .refine(
      (e) => Object.values(e).every((one) => one === null || typeof one !== 'object' || !('same-as' in one)),
      'expected no same-as: there is no earlier call',
    ),
  /** What it means when it does not hold. */
  means: z.string().max(300).optional(),
  'statement-timeout': Duration.default(5_000),
  'lock-timeout': Duration.default(2_000),
});
type Args = z.infer<typeof Args>;

/** Holds the data against what the runbook says of it, in a transaction that can only read. */
export function postgresAssert(): StepKind<TargetConfig> {
  return defineKind({
    name: 'postgres.assert',
    changes: false,
    args: Args,
    describe: (args, { target }) => ({
      words: `Read ${listed(Object.keys(args.expect))} on ${target.name} and compare; nothing is changed.`,
      commands: [
        'BEGIN READ ONLY;',
        `${args.sql.trim().replace(/;$/, '')}; -- expect ${expected(args)}`,
        'ROLLBACK;',
      ],
    }),
    /** Its answer is part of what an approval covers: it is read for the request and again at the last look. */
    async survey(args, context) {
      const outcome = await evaluate(args, context, 'm10bot:assert');
      if (outcome.result !== 'passed') return { kind: 'failed', why: outcome.summary };
      return { kind: 'surveyed', parts: { assertion: expected(args) }, sql: [], warnings: [] };
    },
    run: (args, context) => evaluate(args, context, context.applicationName),
  });
}

async function evaluate(
  args: Args,
  { target }: Pick<PlanContext<TargetConfig>, 'target'>,
  applicationName: string,
): Promise<Outcome> {
  const problem = await sqlProblem(args.sql, readOnlyProblem);
  if (problem !== null) return failed(`the query was not sent: ${problem}`);
  const session = {
    applicationName,
    statementTimeoutMs: args['statement-timeout'],
    lockTimeoutMs: args['lock-timeout'],
  };
  const read = await withSession(target, session, (database) =>
    database.rolledBack(
      async (inside) => {
        const [state] = await inside.rows(
          z.object({ readonly: z.string() }),
          "select current_setting('transaction_read_only') as readonly",
        );
        if (state?.readonly !== 'on') return null;
        // The driver leaves bigint and numeric as texts, so that no digit is rounded.
        return inside.query(args.sql);
      },
      { readOnly: true },
    ),
  );
  if (read.kind !== 'ok') return unread(target.name, 'the assertion', read);
  if (read.value === null) return unknown(`${target.name} gave no transaction that only reads`);
  const { rows } = read.value;
  const [row] = rows;
  const meaning = args.means === undefined ? '' : `: ${args.means}`;
  if (row === undefined || rows.length !== 1) {
    return failed(`the query returned ${plural(rows.length, 'row')} on ${target.name}, expected 1${meaning}`);
  }
  for (const [column, expectation] of Object.entries(args.expect)) {
    const value = Object.hasOwn(row, column) ? row[column] : missing;
    const wrong = mismatch(expectation, value);
    if (wrong !== null)
      return failed(`${column} is ${show(value)} on ${target.name}, expected ${wrong}${meaning}`);
  }
  return passed(`${listed(Object.keys(args.expect))} on ${target.name} as expected`, {
    output: Object.entries(row)
      .map(([column, value]) => `${column} = ${show(value)}`)
      .join('\n'),
  });
}

function expected(args: Args): string {
  return Object.entries(args.expect)
    .map(([column, expectation]) => `${column}: ${wanted(expectation)}`)
    .join(', ');
}
