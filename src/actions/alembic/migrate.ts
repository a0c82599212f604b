import { alembicFor } from '../../checks/alembic-client.js';
import type { StepDeps } from '../../checks/deps.js';
import { failed, listed, plural } from '../../checks/outcome.js';
import { executedBefore, executionNotes } from '../../checks/plan/baseline.js';
import { shownPath } from '../../checks/plan/covered.js';
import { executedStatements, keptStatements } from '../../checks/plan/executed.js';
import { approvedFiles, type MigrationPlan } from '../../checks/plan/migration-plan.js';
import type { Planned, Plans } from '../../checks/plan/plans.js';
import { surveyed } from '../../checks/plan/survey.js';
import type { Observed } from '../../clients/alembic/observed.js';
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

/** Programs that only the run started: what they did is in no record. */
function unapprovedPrograms(plan: MigrationPlan, observed: readonly Observed[]): string[] {
  const approved = new Set((plan.observed?.programs ?? []).map((argv) => JSON.stringify(argv)));
  const started = observed.flatMap(({ programs }) =>
    programs.filter((argv) => !approved.has(JSON.stringify(argv))).map((argv) => argv.join(' ')),
  );
  if (started.length === 0) return [];
  const shown = listed([...new Set(started)].slice(0, namedFiles).map((line) => line.slice(0, 100)));
  return [
    `${plural(started.length, 'program')} started that no request showed, and whose work was not observed: ${shown}`,
  ];
}

const namedFiles = 3;

/** Own files that only the run read: what is read beside the plan cannot be approved beforehand, and is told. */
function unapprovedFiles(plan: MigrationPlan, observed: readonly Observed[], directory: string): string[] {
  const approved = approvedFiles(plan);
  const found = observed.flatMap(({ files }) =>
    [...files].flatMap(([path, { package: name }]) =>
      name === null && approved[path] === undefined ? [shownPath(path, directory)] : [],
    ),
  );
  const paths = [...new Set(found)].sort();
  if (paths.length === 0) return [];
  const shown = listed(paths.slice(0, namedFiles));
  const more = paths.length > namedFiles ? ` and ${paths.length - namedFiles} more` : '';
  return [`${plural(paths.length, 'file')} read that no approval covers: ${shown}${more}`];
}

function sayFirst([first = '', ...others]: readonly string[]): string {
  return others.length === 0 ? first : `${first}; ${others.length} more in the output`;
}

/** What an attempt really executed, and how it differs from what was approved. */
export async function executionOf(
  plan: MigrationPlan,
  results: readonly MigrateResult[],
  context: StepContext<TargetConfig>,
): Promise<Pick<Outcome, 'executed' | 'notes'>> {
  const observed = results.flatMap((result) => (result.observed === null ? [] : [result.observed]));
  if (observed.length < results.length) return { notes: ['what was executed could not be observed'] };
  const { statements, whole } = await executedStatements(observed);
  const last = results.at(-1);
  // A migration that broke off has not executed the rest, which its failure tells already.
  const notes =
    last?.kind === 'done'
      ? await executionNotes(plan, statements, whole, executedBefore(plan, context.elsewhere ?? []))
      : [];
  return {
    executed: keptStatements(statements),
    notes: [
      ...notes,
      ...unapprovedPrograms(plan, observed),
      ...unapprovedFiles(plan, observed, context.target.directory),
    ],
  };
}
