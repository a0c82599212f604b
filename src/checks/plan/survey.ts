import type { TargetConfig } from '../../config.js';
import type { PlanContext, Survey } from '../../runbook/step-kind.js';
import { listed, plural } from '../outcome.js';
import { type Direction, type MigrationPlan, type Plans, revisionsOf } from './plans.js';

/** What an approval of a migration covers: its SQL, its revisions, the code it comes from. */
export async function surveyOf(
  plans: Plans,
  direction: Direction,
  args: { readonly from: string; readonly to: string },
  context: PlanContext<TargetConfig>,
): Promise<Survey> {
  const planned = await plans.of(context.target, direction, args.from, args.to);
  if (planned.kind === 'failed') return { kind: 'failed', why: planned.why };
  const { plan, code } = planned;
  const revisions = revisionsOf(plan);
  return {
    kind: 'surveyed',
    parts: {
      sql: plan.sha256.slice(0, 16),
      revisions: revisions.join(', '),
      'migration files': revisions
        .map((r) => `${r} ${(code.revisions.get(r) ?? 'not found').slice(0, 16)}`)
        .join(', '),
      'code digest': code.digest.slice(0, 16),
      'code commit': code.commit?.slice(0, 12) ?? 'not in a git repository',
      'uncommitted changes': code.dirty.length === 0 ? 'none' : code.dirty.join(', '),
    },
    sql: [
      {
        step: context.step.id,
        target: context.target.name,
        from: plan.from,
        to: plan.to,
        revisions,
        sql: plan.sql,
        sha256: plan.sha256,
        findings: [...plan.findings],
      },
    ],
    warnings: [
      ...planWarnings(plan),
      ...(code.dirty.length === 0
        ? []
        : [
            `the code has changes that are not committed (${listed(code.dirty.slice(0, 5))}${code.dirty.length > 5 ? ', …' : ''})`,
          ]),
      ...(code.commit === null ? ['the code is not in a git repository, so no commit names it'] : []),
    ],
  };
}

/** What an approver must know about a plan before everything else. */
export function planWarnings(plan: MigrationPlan): string[] {
  const revisions = revisionsOf(plan);
  const losses = plan.findings.filter((f) => f.rank === 'data-loss');
  return [
    ...(plan.outside.length === 0
      ? []
      : [
          `${plural(plan.outside.length, 'statement')} outside the transaction: a failure half-way leaves what ran before (${shorten(plan.outside[0] ?? '')})`,
        ]),
    ...(revisions.length > 1
      ? [
          `${revisions.length} revisions would ${plan.direction === 'upgrade' ? 'run' : 'be taken back'}: ${listed(revisions)}`,
        ]
      : []),
    ...(losses.length > 0 && plan.direction === 'upgrade'
      ? [`${plural(losses.length, 'statement')} may lose data: ${shorten(losses[0]?.statement ?? '')}`]
      : []),
  ];
}

function shorten(statement: string): string {
  const line = statement.replace(/\s+/g, ' ').trim();
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}
