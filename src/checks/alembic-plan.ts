import { z } from 'zod';
import type { TargetConfig } from '../config.js';
import type { Finding } from '../runbook/events.js';
import { defineKind, type StepKind } from '../runbook/step-kind.js';
import { failed, listed, passed, plural } from './outcome.js';
import { revisionsOf } from './plan/migration-plan.js';
import type { Plans } from './plan/plans.js';
import { scriptText } from './plan/script-text.js';
import { planWarnings, surveyOf, unseen } from './plan/survey.js';
import { sayRevisions } from './revision.js';
import { RevisionList } from './revision-list.js';

const Args = z.strictObject({
  from: RevisionList,
  to: RevisionList,
  /** What must run, in order; just `to` when absent. */
  revisions: z.array(z.string(), 'expected a list of revisions').min(1).optional(),
  /** Rules that may find a loss of data; each is shown. */
  accept: z.array(z.string(), 'expected a list of rules, such as ban-drop-table').default([]),
});
type Args = z.infer<typeof Args>;

/** Reads what the upgrade would run before anybody approves it: the revisions, and the SQL through a linter. */
export function alembicPlan(plans: Plans): StepKind<TargetConfig> {
  return defineKind({
    name: 'alembic.plan',
    changes: false,
    args: Args,
    relations: ({ from, to }) => ({ path: { how: 'plan', from, to } }),
    describe: (args, { target }) => ({
      words: `Make sure that from ${sayRevisions(args.from)} to ${sayRevisions(args.to)} exactly ${listed(expectedOf(args))} would run on ${target.name}, and that no statement that can be printed loses data.`,
      commands: [
        ...args.to
          .filter((to) => !args.from.includes(to))
          .map((to) => `alembic upgrade ${args.from[0] ?? 'base'}:${to} --sql`),
        'squawk --reporter json',
      ],
    }),
    survey: (args, context) => surveyOf(plans, 'upgrade', args, context),
    async run(args, context) {
      const { target } = context;
      const planned = await plans.of(target, 'upgrade', args.from, args.to);
      if (planned.kind === 'failed') return failed(planned.why);
      const { plan, code } = planned;
      const revisions = revisionsOf(plan);
      const expected = expectedOf(args);
      const { sql } = plan;
      const findings = sql.kind === 'printed' ? sql.findings : [];
      const losses = findings.filter((f) => f.rank === 'data-loss' && !args.accept.includes(f.rule));
      const text = scriptText(plan, target.directory);
      const output = [
        ...[...unseen(plan, context), ...planWarnings(plan, context.redact)].map(
          (warning) => `Warning: ${warning}`,
        ),
        ...findings.map(sayFinding),
        `Code: ${code.commit ?? 'no commit'}${code.dirty.length === 0 ? '' : ` with changes in ${listed(code.dirty)}`}`,
        '',
        text.sql.trim(),
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
      const looked =
        sql.kind === 'printed'
          ? sayCounts(findings)
          : 'its SQL cannot be printed before it runs, so what it would lose is not known';
      return passed(`exactly ${listed(revisions)} would run; ${looked}`, {
        output,
        data: { sha256: text.sha256, commit: code.commit },
      });
    },
  });
}

function expectedOf(args: Args): readonly string[] {
  return args.revisions ?? args.to.filter((revision) => !args.from.includes(revision));
}

function sayFinding(finding: Finding): string {
  return `${finding.rank}: ${finding.rule}, line ${finding.line ?? '?'}: ${finding.message}`;
}

function sayCounts(findings: readonly Finding[]): string {
  const count = (rank: Finding['rank']) => findings.filter((f) => f.rank === rank).length;
  if (findings.length === 0) return 'nothing found in its SQL';
  return `found in its SQL: ${count('data-loss')} data loss, ${count('blocking')} blocking, ${count('advice')} advice`;
}
