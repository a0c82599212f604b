import type { StepDeps } from '../../checks/deps.js';
import { passed } from '../../checks/outcome.js';
import { lookIn } from '../../checks/plan/judged.js';
import type { Direction } from '../../checks/plan/migration-plan.js';
import type { Plans } from '../../checks/plan/plans.js';
import { surveyed } from '../../checks/plan/survey.js';
import { who } from '../../checks/postgres-activity.js';
import { isAt, sayRevision, sayRevisions } from '../../checks/revision.js';
import type { Observed } from '../../clients/alembic/observed.js';
import type { TargetConfig } from '../../config.js';
import type { Probe, StepContext } from '../../runbook/step-kind.js';
import { sight } from './after.js';
import type { DowngradeArgs, UpgradeArgs } from './arguments.js';
import { attemptId } from './attempts.js';
import { type Execution, executionOf, type Sent, stayedPart } from './execution.js';
import { sessionsOf } from './sessions.js';
import { sayStayed, stayedOf } from './stayed.js';

/** What became of an upgrade whose runner died. */
export async function probeUpgrade(
  deps: StepDeps,
  plans: Plans,
  args: UpgradeArgs,
  context: StepContext<TargetConfig>,
): Promise<Probe> {
  const ids = args.to.map((to) => `${context.childId}/upgrade-${to}`);
  return probeMigration(deps, plans, { direction: 'upgrade', ids, ...args }, context);
}

/** What became of a downgrade whose runner died. */
export async function probeDowngrade(
  deps: StepDeps,
  plans: Plans,
  args: DowngradeArgs,
  context: StepContext<TargetConfig>,
): Promise<Probe> {
  const attempts = Array.from({ length: args.attempts }, (_, index) => attemptId(context, index + 1));
  const ids = attempts.flatMap((attempt) => args.to.map((to) => `${attempt}/downgrade-${to}`));
  return probeMigration(deps, plans, { direction: 'downgrade', ids, ...args }, context);
}

interface Interrupted {
  readonly direction: Direction;
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** Of the children that it may have started, in order. */
  readonly ids: readonly string[];
}

async function probeMigration(
  { processes, revisions }: StepDeps,
  plans: Plans,
  step: Interrupted,
  context: StepContext<TargetConfig>,
): Promise<Probe> {
  // The program first: between its start and its connection only it can be seen.
  const started: string[] = [];
  for (const id of step.ids) {
    const sighting = processes.look(id);
    if (sighting.kind === 'running') {
      return { kind: 'running', evidence: `process ${sighting.pid}, started ${sighting.startedAt}` };
    }
    if (sighting.kind === 'unknown') return { kind: 'unknown', evidence: sighting.reason };
    if (sighting.kind === 'ended') started.push(id);
  }
  const { target, applicationName } = context;
  const own = await sessionsOf(processes, started, applicationName);
  const seen = await sight(revisions, target, own, own.observed);
  if (seen.kind === 'unread') return { kind: 'unknown', evidence: seen.why };
  const [session] = seen.sessions;
  if (session !== undefined) {
    return {
      kind: 'running',
      evidence: `${who(session)} is at work: ${session.query ?? 'query not visible'}`,
    };
  }
  const where = `${target.name} is at ${sayRevision(seen.stored)}`;
  const executed = (arrived: boolean) => recovered(plans, step, { observed: own.observed, arrived }, context);
  if (isAt(seen.stored, step.to)) {
    const outputs = await Promise.all(started.map((id) => processes.tail(id, 4_000)));
    const output = outputs
      .map((o) => `${o.stdout}${o.stderr}`.trim())
      .join('\n')
      .trim();
    const { differing, ...execution } = await executed(true);
    const summary = `${where}, as expected; found out after an interruption of the bot`;
    return { kind: 'done', outcome: passed(summary, { ...execution, output: `${output}${differing}` }) };
  }
  if (!isAt(seen.stored, step.from)) {
    const neither = `neither ${sayRevisions(step.from)} nor ${sayRevisions(step.to)}`;
    return { kind: 'unknown', evidence: `${where}, which is ${neither}`, ...(await told(executed)) };
  }
  // A session that was never seen under a verified identity may be at work under another name.
  const found = { traces: seen.traces, version: 'kept' as const };
  const stayed = await stayedOf(own.observed, found, lookIn(target));
  return stayed.kind === 'nothing'
    ? { kind: 'not_done', evidence: `${where} still, and no session or process of this step is left` }
    : {
        kind: 'unknown',
        evidence: `${where} still, but ${sayStayed(stayed, context.redact)}`,
        ...(await told(executed)),
      };
}

async function told(executed: (arrived: boolean) => Promise<Execution>) {
  const { differing: _, ...execution } = await executed(false);
  return { execution };
}

/**
 * What the interrupted attempt executed, from the report that its child has left. It is held against the plan of now,
 * as long as that is still the one that was approved.
 */
async function recovered(
  plans: Plans,
  { direction, from, to }: Interrupted,
  found: { readonly observed: readonly (Observed | null)[]; readonly arrived: boolean },
  context: StepContext<TargetConfig>,
): Promise<Execution> {
  const last = found.observed.length - 1;
  const observed = found.observed.map((one, index) =>
    one === null || index === last ? one : stayedPart(one),
  );
  const planned = await plans.of(context.target, direction, from, to);
  const execution = (plan: Sent['plan']) => executionOf({ plan, observed, arrived: found.arrived }, context);
  if (planned.kind === 'failed') return execution({ unknown: planned.why });
  const [changed] = context.drift(await surveyed(plans, planned, context));
  return execution(changed === undefined ? planned.plan : { unknown: `it has changed since (${changed})` });
}
