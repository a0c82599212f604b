import { z } from 'zod';
import { parseScript, parseWith } from '../clients/sql/parse-script.js';
import { loadedSqlParser } from '../clients/sql/parser.js';
import type { Effect, ParsedStatement } from '../clients/sql/statement.js';

/** @returns what is wrong with a statement for its place, or null */
export type Judge = (statement: ParsedStatement) => string | null;

/**
 * One SQL statement of a runbook, judged by its parse tree when the runbook is read. The step judges it again before
 * it sends it, for the case that nobody had loaded the parser by then.
 */
export function SqlText(judge: Judge) {
  return z
    .string()
    .min(8, 'expected one SQL statement')
    .superRefine((sql, ctx) => {
      const parser = loadedSqlParser();
      const message = parser === null ? null : judged(parseWith(parser, sql).statements, judge);
      if (message !== null) ctx.addIssue({ code: 'custom', message });
    });
}

/** The same as `SqlText`, for a step that is about to run. */
export async function sqlProblem(sql: string, judge: Judge): Promise<string | null> {
  return judged((await parseScript(sql)).statements, judge);
}

function judged(statements: readonly ParsedStatement[], judge: Judge): string | null {
  const [statement, ...more] = statements;
  if (statement === undefined) return 'expected one SQL statement, found none';
  const broken = statements.find((one) => one.problem !== null);
  if (broken !== undefined) return `expected SQL that PostgreSQL's parser accepts (${broken.problem})`;
  if (more.length > 0) return `expected one SQL statement, found ${more.length + 1}`;
  return judge(statement);
}

/** For a transaction that is rolled back: nothing that ends it, leaves it or outlives it. */
export const rolledBackProblem: Judge = ({ effects, node }) => {
  const found = effects.find((effect) => effect === 'transaction' || effect === 'session');
  const leaves = ['PrepareStmt', 'LoadStmt', 'CheckPointStmt', 'AlterSystemStmt', 'VacuumStmt', 'DropdbStmt'];
  if (found === undefined && !leaves.includes(node ?? '') && node !== 'CreatedbStmt') return null;
  return `expected a statement that a rollback undoes, found one that ${found === undefined ? 'it does not undo' : words[found]}`;
};

/** For a transaction that only reads. */
export const readOnlyProblem: Judge = ({ effect, node }) => {
  if (effect === 'reads' && (node === 'SelectStmt' || node === 'VariableShowStmt')) return null;
  const found = effect === 'reads' ? 'returns no row to compare' : words[effect];
  return `expected a query that only reads, found a statement that ${found}`;
};

const words: Readonly<Record<Effect, string>> = {
  unparsed: 'cannot be read',
  'throws-rows-away': 'throws rows away',
  opaque: 'runs code that cannot be seen beforehand',
  'changes-schema': 'changes the schema',
  'changes-rows': 'changes rows',
  transaction: 'begins, ends or sets up a transaction',
  session: 'changes the settings of its session',
  locks: 'takes locks',
  reads: 'only reads',
};
