import { changesVersionRow, type TableName } from '../../clients/sql/bookkeeping.js';
import { parseScript } from '../../clients/sql/parse-script.js';
import { lintSql } from '../../clients/squawk.js';
import { byRank, type Rank, rankRule } from '../../clients/squawkRanks.js';
import type { Finding } from '../../runbook/events.js';
import type { StepDeps } from '../deps.js';

const ranks: Readonly<Record<Rank, Finding['rank']>> = {
  data_loss: 'data-loss',
  invalid: 'blocking',
  blocking_lock: 'blocking',
  breaking: 'blocking',
  unrated: 'blocking',
  advice: 'advice',
};

/** The timeouts are set by the session that runs the SQL. */
const exclude = ['require-timeout-settings', 'require-lock-timeout', 'require-statement-timeout'];

export type Findings =
  | { readonly kind: 'linted'; readonly findings: readonly Finding[] }
  | { readonly kind: 'failed'; readonly why: string };

/**
 * What squawk finds in the SQL, the most dangerous first.
 * @param version Alembic's version table, whose rows come and go with each revision
 */
export async function findingsOf(
  deps: Pick<StepDeps, 'processes'>,
  sql: string,
  version: TableName = { table: 'alembic_version' },
): Promise<Findings> {
  const linted = await lintSql(sql, { processes: deps.processes, id: 'plans', exclude });
  if (linted.kind === 'failed')
    return { kind: 'failed', why: `squawk could not look through the SQL (${linted.evidence})` };
  const found = byRank(linted.findings).map((finding) => ({
    rank: ranks[rankRule(finding.rule)],
    rule: finding.rule,
    message: finding.help === null ? finding.message : `${finding.message} ${finding.help}`,
    line: finding.line,
    statement: finding.statement ?? '',
  }));
  // What the linter has a rule of its own for is told once, by that rule.
  const known = found.filter((f) => f.rank === 'data-loss').map((f) => f.line);
  return { kind: 'linted', findings: [...(await deletions(sql, version, known)), ...found] };
}

/**
 * Statements that throw rows away by PostgreSQL's parse tree, and those that the parser refuses: nobody knows what
 * they do. Alembic's own bookkeeping is neither.
 */
async function deletions(
  sql: string,
  version: TableName,
  known: readonly (number | null)[],
): Promise<Finding[]> {
  const { statements } = await parseScript(sql);
  return statements.flatMap((statement): Finding[] => {
    const place = { line: statement.startLine, statement: statement.text };
    if (statement.effect === 'unparsed') {
      const message = `PostgreSQL's parser refuses this statement (${statement.problem ?? ''}), so what it does is not known.`;
      return [{ rank: 'blocking', rule: 'not-parsed', message, ...place }];
    }
    if (statement.effect !== 'throws-rows-away' || changesVersionRow(statement, version)) return [];
    if (known.some((l) => l !== null && l >= statement.startLine && l <= statement.endLine)) return [];
    const message = 'This statement throws rows or whole objects away.';
    return [{ rank: 'data-loss', rule: 'throws-rows-away', message, ...place }];
  });
}
