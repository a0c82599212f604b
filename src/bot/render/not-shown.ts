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

/** Statements that another target executed under the same step, and that the printed SQL does not have. */
export function unprintedBlocks(plan: Plan): Block[] {
  return plan.sql.flatMap(({ step, unprinted = [] }) =>
    unprinted.flatMap(({ target, statements }): Block[] => {
      const title = `⚠️ *${line(target)} executed ${plural(statements.length, 'statement')} that the printed SQL does not have* (${code(step)})`;
      return [section(title), preformatted(cutText(statementsText(statements), UNPRINTED_SHOWN, CUT_FILE))];
    }),
  );
}

/** Characters of these statements that a message shows. */
export const UNPRINTED_SHOWN = 2_000;

/** Statements as text, one after the other. */
export function statementsText(statements: readonly ExecutedStatement[]): string {
  return statements
    .map(({ text, outside }) => `${text.trim()}${outside ? '  -- outside the transaction' : ''}`)
    .join('\n');
}
