import { z } from 'zod';
import type { TargetConfig } from '../config.js';
import type { Finding } from '../runbook/events.js';
import { defineKind, type StepKind } from '../runbook/step-kind.js';
import { failed, listed, passed, plural } from './outcome.js';
import { type Plans, revisionsOf } from './plan/plans.js';
import { planWarnings, surveyOf } from './plan/survey.js';

const Args = z.strictObject({
  from: z.string('expected the whole name of a revision').min(1),
  to: z.string('expected the whole name of a revision').min(1),
  /** What must run, in order; just `to` when absent. */
  revisions: z.array(z.string(), 'expected a list of revisions').min(1).optional(),
  /** Rules that may find a loss of data; each is shown. */
  accept: z.array(z.string(), 'expected a list of rules, such as ban-drop-table').default([]),
});

/** Reads what the upgrade would run before anybody approves it: the revisions, and the SQL through a linter. */
export function alembicPlan(plans: Plans): StepKind<TargetConfig> {
  return defineKind({
    name: 'alembic.plan',
    changes: false,
    args: Args,
    describe: (args, { target }) => ({
      words: `Make sure that from ${args.from} to ${args.to} exactly ${listed(args.revisions ?? [args.to])} would run on ${target.name}, and that no statement loses data.`,
      commands: [`alembic upgrade ${args.from}:${args.to} --sql`, 'squawk --reporter json'],
    }),
    survey: (args, context) => surveyOf(plans, 'upgrade', args, context),
    async run(args, { target }) {
      const planned = await plans.of(target, 'upgrade', args.from, args.to);
      if (planned.kind === 'failed') return failed(planned.why);
      const { plan, code } = planned;
      const revisions = revisionsOf(plan);
      const expected = args.revisions ?? [args.to];
      const losses = plan.findings.filter((f) => f.rank === 'data-loss' && !args.accept.includes(f.rule));
      const output = [
        ...planWarnings(plan).map((warning) => `Warning: ${warning}`),
        ...plan.findings.map(sayFinding),
        `Code: ${code.commit ?? 'no commit'}${code.dirty.length === 0 ? '' : ` with changes in ${listed(code.dirty)}`}`,
        '',
        plan.sql.trim(),
      ].join('\n');
      if (revisions.join() !== expected.join()) {
        return failed(`${listed(revisions)} would run, expected exactly ${listed(expected)}`, { output });
      }
      if (losses.length > 0) {
        const [first] = losses;
        return failed(
          `${plural(losses.length, 'statement')} may lose data: ${first?.rule ?? ''} in line ${first?.line ?? '?'}; read the SQL, then accept the rule in the runbook or change the migration`,
          { output },
        );
      }
      return passed(`exactly ${listed(revisions)} would run; ${sayCounts(plan.findings)}`, {
        output,
        data: { sha256: plan.sha256, commit: code.commit },
      });
    },
  });
}

function sayFinding(finding: Finding): string {
  return `${finding.rank}: ${finding.rule}, line ${finding.line ?? '?'}: ${finding.message}`;
}

function sayCounts(findings: readonly Finding[]): string {
  const count = (rank: Finding['rank']) => findings.filter((f) => f.rank === rank).length;
  if (findings.length === 0) return 'nothing found in its SQL';
  return `found in its SQL: ${count('data-loss')} data loss, ${count('blocking')} blocking, ${count('advice')} advice`;
}
