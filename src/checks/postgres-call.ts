import { z } from 'zod';
import { describeFailure } from '../clients/postgres/failure.js';
import { type Queryable, type QueryResult, RollbackEscaped } from '../clients/postgres.js';
import type { TargetConfig } from '../config.js';
import { Duration, isUngated } from '../runbook/definition.js';
import { defineKind, type StepKind } from '../runbook/step-kind.js';
import { Expectation, mismatch, missing, Numeral, show, wanted } from './expectation.js';
import { failed, passed, plural, unknown } from './outcome.js';
import { explain, unread, withSession } from './session.js';
import { rolledBackProblem, SqlText, sqlProblem } from './sql-text.js';

const Value = z.union([
  z.string(),
  Numeral,
  z.boolean(),
  z.null(),
  z.strictObject({ of: z.string().regex(/^[\w-]+\.[\w-]+$/, 'expected CALL.COLUMN, such as first.id') }),
]);

const Call = z.strictObject({
  id: z.string().regex(/^[\w-]+$/, 'expected a short name of letters, digits, "-" and "_"'),
  sql: SqlText(rolledBackProblem),
  /** Bound to $1, $2, …; `{ of: call.column }` takes a value from an earlier call. */
  values: z.array(Value).default([]),
  /** Columns of the one row that must come back. */
  expect: z.record(z.string(), Expectation).default({}),
  /** What it means when this one fails. */
  means: z.string().max(300).optional(),
});
type Call = z.infer<typeof Call>;

const Args = z.strictObject({
  calls: z.array(Call, 'expected a list of calls').min(1).superRefine(checkReferences),
  'statement-timeout': Duration.default(5_000),
  'lock-timeout': Duration.default(2_000),
});

/**
 * Calls functions and looks at what they return, in one transaction that is rolled back whatever happens. Without an
 * approval it only reads: some of what a function does leaves the transaction, or ends it.
 */
export function postgresCall(): StepKind<TargetConfig> {
  return defineKind({
    name: 'postgres.call',
    changes: false,
    args: Args,
    describe: (args, { runbook, step, target }) => ({
      words: `Make ${plural(args.calls.length, 'call')} on ${target.name} in one transaction that ${isUngated(runbook, step) ? 'only reads' : 'is rolled back'}, and compare what each returns.`,
      commands: [
        isUngated(runbook, step) ? 'BEGIN READ ONLY;' : 'BEGIN;',
        ...args.calls.map(render),
        'ROLLBACK;',
      ],
    }),
    async run(args, context) {
      const session = {
        applicationName: context.applicationName,
        statementTimeoutMs: args['statement-timeout'],
        lockTimeoutMs: args['lock-timeout'],
      };
      const log: string[] = [];
      for (const call of args.calls) {
        const problem = await sqlProblem(call.sql, rolledBackProblem);
        if (problem !== null) return failed(`${call.id} was not sent: ${problem}`);
      }
      try {
        const run = await withSession(context.target, session, (database) =>
          database.rolledBack((inside) => callAll(args.calls, inside, log), {
            readOnly: isUngated(context.runbook, context.step),
          }),
        );
        const output = log.join('\n');
        if (run.kind !== 'ok') {
          const outcome = unread(context.target.name, 'the calls', run);
          return { ...outcome, output: [output, outcome.output].join('\n') };
        }
        if (run.value !== null) return failed(`${run.value} (on ${context.target.name})`, { output });
        return passed(
          `${plural(args.calls.length, 'call')} on ${context.target.name} returned what they should; everything was rolled back`,
          { output },
        );
      } catch (error) {
        if (!(error instanceof RollbackEscaped)) throw error;
        return unknown(
          `a call on ${context.target.name} ended the transaction itself; rows may have stayed`,
          {
            output: [...log, error.message].join('\n'),
          },
        );
      }
    },
  });
}

/** @returns null when all is well, otherwise the first thing that is not */
async function callAll(calls: readonly Call[], inside: Queryable, log: string[]): Promise<string | null> {
  const rows = new Map<string, Readonly<Record<string, unknown>>>();
  const resolve = (reference: string): unknown => {
    const [id = '', column = ''] = reference.split('.');
    const row = rows.get(id);
    return row !== undefined && Object.hasOwn(row, column) ? row[column] : missing;
  };
  for (const call of calls) {
    const values = call.values.map((v) => (v !== null && typeof v === 'object' ? resolve(v.of) : v));
    const meaning = call.means === undefined ? '' : `: ${call.means}`;
    let returned: QueryResult;
    try {
      returned = await inside.query(call.sql, values);
    } catch (error) {
      const failure = describeFailure(error);
      if (failure?.kind !== 'sql_error') throw error;
      log.push(
        `${call.id}: ${explain(failure)}`,
        ...[failure.detail, failure.context].filter((l) => l !== null),
      );
      return `${call.id} failed when called (${failure.message})${meaning}`;
    }
    const [row] = returned.rows;
    if (row !== undefined) rows.set(call.id, row);
    log.push(`${call.id}: ${returned.rows.map((r) => rowText(r)).join('; ') || 'no row'}`);
    const expectations = Object.entries(call.expect);
    if (expectations.length === 0) continue;
    if (row === undefined || returned.rows.length !== 1) {
      return `${call.id} returned ${plural(returned.rows.length, 'row')}, expected 1${meaning}`;
    }
    for (const [column, expectation] of expectations) {
      const value = Object.hasOwn(row, column) ? row[column] : missing;
      const expected = mismatch(expectation, value, resolve);
      if (expected !== null) {
        return `${call.id} returned ${column} = ${show(value)}, expected ${expected}${meaning}`;
      }
    }
  }
  return null;
}

function rowText(row: Readonly<Record<string, unknown>>): string {
  return Object.entries(row)
    .map(([column, value]) => `${column} = ${show(value)}`)
    .join(', ');
}

function render(call: Call): string {
  const values = call.values.map((v) => (v !== null && typeof v === 'object' ? `<${v.of}>` : show(v)));
  const bound = values.length === 0 ? '' : ` -- ${values.map((v, i) => `$${i + 1} = ${v}`).join(', ')}`;
  const expected = Object.entries(call.expect).map(([column, e]) => `${column}: ${wanted(e)}`);
  return `${call.sql.trim().replace(/;$/, '')};${bound}${expected.length === 0 ? '' : ` -- expect ${expected.join(', ')}`}`;
}

/** A reference to a call that comes later, or to none, is a mistake of the runbook. */
function checkReferences(calls: readonly Call[], ctx: z.RefinementCtx): void {
  const before = new Set<string>();
  for (const [index, call] of calls.entries()) {
    const references = [
      ...call.values.flatMap((v) => (v !== null && typeof v === 'object' ? [v.of] : [])),
      ...Object.values(call.expect).flatMap((e) =>
        e !== null && typeof e === 'object' && 'same-as' in e ? [e['same-as']] : [],
      ),
    ];
    for (const reference of references) {
      if (before.has(reference.split('.')[0] ?? '')) continue;
      const message = `expected a column of an earlier call, found ${JSON.stringify(reference)}`;
      ctx.addIssue({ code: 'custom', path: [index], message });
    }
    if (before.has(call.id)) {
      ctx.addIssue({
        code: 'custom',
        path: [index, 'id'],
        message: `expected an id used once, found ${call.id} twice`,
      });
    }
    before.add(call.id);
  }
}
