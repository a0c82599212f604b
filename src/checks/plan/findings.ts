import { splitStatements } from '../../clients/sql.js';
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

/** What squawk finds in the SQL, the most dangerous first. */
export async function findingsOf(deps: Pick<StepDeps, 'processes'>, sql: string): Promise<Findings> {
  const linted = await lintSql(sql, { processes: deps.processes, id: 'plans', exclude });
  if (linted.kind === 'failed')
    return { kind: 'failed', why: `squawk could not look through the SQL (${linted.evidence})` };
  return {
    kind: 'linted',
    findings: [
      ...deletions(sql),
      ...byRank(linted.findings).map((finding) => ({
        rank: ranks[rankRule(finding.rule)],
        rule: finding.rule,
        message: finding.help === null ? finding.message : `${finding.message} ${finding.help}`,
        line: finding.line,
        statement: finding.statement ?? '',
      })),
    ],
  };
}

/** Statements that throw rows away and that squawk has no rule for. Alembic's own bookkeeping is not one. */
function deletions(sql: string): Finding[] {
  return splitStatements(sql)
    .filter(({ text }) => /^(delete\s+from|truncate|drop\s+schema|drop\s+owned)\b/i.test(text))
    .filter(({ text }) => !/^delete\s+from\s+"?alembic_version\b/i.test(text))
    .map(({ text, startLine }) => ({
      rank: 'data-loss',
      rule: 'throws-rows-away',
      message: 'This statement throws rows or whole objects away.',
      line: startLine,
      statement: text,
    }));
}
