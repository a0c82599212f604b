import type { Plan, PlannedSql } from '../../runbook/events.js';
import type { ExecutedStatement } from '../../runbook/executed.js';
import { code, line } from './escape.js';
import { CUT_FILE, cutText, fitLines } from './limits.js';
import { type Block, preformatted, section } from './message.js';
import { plural } from './words.js';

/** Comments alone are what stands in the place of SQL that cannot be printed. */
export const hasSql = ({ sql }: PlannedSql) =>
  sql.split('\n').some((each) => each.trim() !== '' && !each.trim().startsWith('--'));

function unseen(plan: Plan | null): readonly string[] {
  return plan?.headline ?? [];
}

/** The same for a notification, which has no room for it. */
export function headlineWords(plan: Plan | null): string {
  const count = unseen(plan).length;
  return count === 0 ? '' : `⚠️ ${plural(count, 'thing')} not shown or not verified. `;
}

/** What cannot be shown or verified stands above everything else. */
export function headlineBlocks(plan: Plan | null): Block[] {
  const lines = unseen(plan).map((each) => `• ${line(each)}`);
  if (lines.length === 0) return [];
  return [section(`⚠️ *Not shown or not verified*\n${fitLines(lines, 2_400, 'more')}`)];
}

/** Statements that another target executed under the same step beyond the printed SQL. */
export function unprintedBlocks(plan: Plan): Block[] {
  return plan.sql.flatMap(({ step, unprinted = [] }) =>
    unprinted.flatMap(({ target, statements }): Block[] => {
      const title = `⚠️ *${line(target)} executed ${plural(statements.length, 'statement')} beyond the printed SQL* (${code(step)})`;
      return [section(title), preformatted(firstStatements(statements))];
    }),
  );
}

/** Characters of these statements that a message shows. */
export const UNPRINTED_SHOWN = 2_000;

/** As many statements as a message has room for, and how many more the file has. */
function firstStatements(statements: readonly ExecutedStatement[]): string {
  const whole = statementsText(statements);
  if (whole.length <= UNPRINTED_SHOWN) return whole;
  const shown: string[] = [];
  let used = 0;
  for (const statement of statements) {
    const text = statementsText([statement]);
    if (used + text.length + 1 > UNPRINTED_SHOWN) break;
    shown.push(text);
    used += text.length + 1;
  }
  // One alone may be longer than the room.
  if (shown.length === 0) shown.push(cutText(statementsText(statements.slice(0, 1)), UNPRINTED_SHOWN));
  const more = statements.length - shown.length;
  const rest = more === 0 ? CUT_FILE : `… and ${more.toLocaleString('en-US')} more: in the file`;
  return [...shown, rest].join('\n');
}

/** Statements as text, one after the other. */
export function statementsText(statements: readonly ExecutedStatement[]): string {
  return statements
    .map(({ text, outside, note }) => {
      const remarks = [
        ...(outside ? ['outside the transaction'] : []),
        ...(note === undefined ? [] : [note]),
      ];
      return `${text.trim()}${remarks.length === 0 ? '' : `  -- ${remarks.join('; ')}`}`;
    })
    .join('\n');
}
