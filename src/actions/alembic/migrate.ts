import { alembicFor } from '../../checks/alembic-client.js';
import type { StepDeps } from '../../checks/deps.js';
import { failed } from '../../checks/outcome.js';
import { approvedFiles, type MigrationPlan } from '../../checks/plan/migration-plan.js';
import type { Planned, Plans } from '../../checks/plan/plans.js';
import { surveyed } from '../../checks/plan/survey.js';
import type { MarkedTable } from '../../clients/alembic/observe.js';
import type { MigrateResult } from '../../clients/alembic.js';
import type { TargetConfig } from '../../config.js';
import type { Outcome, StepContext } from '../../runbook/step-kind.js';
import { type Aftermath, settle } from './after.js';
import { backendsOf } from './sessions.js';
import { sayBlockers, watchingBlockers } from './watch.js';

/** One attempt at a migration: its commands one after the other, until one does not end well. */
export async function migrate(
  deps: StepDeps,
  plan: MigrationPlan,
  context: StepContext<TargetConfig>,
  given: {
    readonly id: string;
    readonly lockTimeoutMs: number;
    readonly statementTimeoutMs?: number | undefined;
    readonly unchanged?: readonly MarkedTable[];
  },
): Promise<{ results: MigrateResult[]; after: Aftermath; blockers: readonly string[] }> {
  const { target, applicationName, signal } = context;
  const alembic = alembicFor(deps, target, applicationName, given.id);
  const { value: results, blocked } = await watchingBlockers(target, applicationName, async () => {
    const ended: MigrateResult[] = [];
    for (const leg of plan.legs) {
      if (ended.length > 0 && signal.aborted) break;
      const result = await alembic.migrate(plan.direction, leg.to, {
        target: plan.database,
        from: leg.from,
        steps: leg.steps,
        files: approvedFiles(plan),
        lockTimeoutMs: given.lockTimeoutMs,
        ...(given.statementTimeoutMs === undefined ? {} : { statementTimeoutMs: given.statementTimeoutMs }),
        ...(given.unchanged === undefined || ended.length > 0 ? {} : { unchanged: given.unchanged }),
        timeoutMs: context.step.timeout,
        signal,
      });
      ended.push(result);
      if (result.kind !== 'done') break;
    }
    return ended;
  });
  const observed = results.map((result) => result.observed);
  const own = { applicationName, backends: observed.flatMap(backendsOf) };
  const after = await settle(deps.revisions, target, own, observed);
  return { results, after, blockers: sayBlockers(blocked) };
}

/**
 * Works the plan out once more, right before it runs, and holds it against what was approved.
 * @returns the plan, or the outcome of a step that must not run
 */
export async function planAsApproved(
  plans: Plans,
  direction: MigrationPlan['direction'],
  args: { readonly from: readonly string[]; readonly to: readonly string[] },
  context: StepContext<TargetConfig>,
): Promise<Extract<Planned, { kind: 'planned' }> | { readonly kind: 'over'; readonly outcome: Outcome }> {
  const planned = await plans.of(context.target, direction, args.from, args.to);
  if (planned.kind === 'failed') {
    return { kind: 'over', outcome: failed(`${planned.why}; nothing was run`) };
  }
  const differences = context.drift(await surveyed(plans, planned, context));
  if (differences.length === 0) return planned;
  const output = differences.join('\n');
  return {
    kind: 'over',
    outcome: failed(`not run: what it would do now is not what was approved (${sayFirst(differences)})`, {
      output,
    }),
  };
}

function sayFirst([first = '', ...others]: readonly string[]): string {
  return others.length === 0 ? first : `${first}; ${others.length} more in the output`;
}
