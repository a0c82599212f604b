import type { StepDeps } from '../../checks/deps.js';
import { passed } from '../../checks/outcome.js';
import type { Plans } from '../../checks/plan/plans.js';
import { who } from '../../checks/postgres-activity.js';
import { isAt, sayRevision } from '../../checks/revision.js';
import type { Processes } from '../../clients/process.js';
import type { TargetConfig } from '../../config.js';
import type { Probe, StepContext } from '../../runbook/step-kind.js';
import { sight } from './after.js';
import type { DowngradeArgs, UpgradeArgs } from './arguments.js';
import { attemptId } from './attempts.js';

/** What became of an upgrade whose runner died. */
export async function probeUpgrade(
  deps: StepDeps,
  plans: Plans,
  args: UpgradeArgs,
  context: StepContext<TargetConfig>,
): Promise<Probe> {
  const probe = await probeMigration(deps.processes, [`${context.childId}/upgrade`], args, context);
  if (probe.kind !== 'not_done') return probe;
  // Only one transaction proves that nothing stayed.
  const planned = await plans.of(context.target, 'upgrade', args.from, args.to);
  if (planned.kind === 'failed') {
    return { kind: 'unknown', evidence: `${probe.evidence}, but ${planned.why}` };
  }
  if (planned.plan.outside.length === 0) return probe;
  return {
    kind: 'unknown',
    evidence: `${probe.evidence}, but the migration leaves its transaction, so part of it may have stayed`,
  };
}

/** What became of a downgrade whose runner died. */
export async function probeDowngrade(
  deps: StepDeps,
  args: DowngradeArgs,
  context: StepContext<TargetConfig>,
): Promise<Probe> {
  const ids = Array.from(
    { length: args.attempts },
    (_, index) => `${attemptId(context, index + 1)}/downgrade`,
  );
  return probeMigration(deps.processes, ids, args, context);
}

async function probeMigration(
  processes: Processes,
  ids: readonly string[],
  args: { readonly from: string; readonly to: string },
  context: StepContext<TargetConfig>,
): Promise<Probe> {
  // The program first: between its start and its connection only it can be seen.
  for (const id of ids) {
    const sighting = processes.look(id);
    if (sighting.kind === 'running') {
      return { kind: 'running', evidence: `process ${sighting.pid}, started ${sighting.startedAt}` };
    }
    if (sighting.kind === 'unknown') return { kind: 'unknown', evidence: sighting.reason };
  }
  const { target, applicationName } = context;
  const seen = await sight(target, applicationName);
  if (seen.kind === 'unread') return { kind: 'unknown', evidence: seen.why };
  const [session] = seen.sessions;
  if (session !== undefined) {
    return {
      kind: 'running',
      evidence: `${who(session)} is at work: ${session.query ?? 'query not visible'}`,
    };
  }
  const where = `${target.name} is at ${sayRevision(seen.stored)}`;
  if (isAt(seen.stored, args.to)) {
    const outputs = await Promise.all(ids.map((id) => processes.tail(id, 4_000)));
    const output = outputs
      .map((o) => `${o.stdout}${o.stderr}`.trim())
      .join('\n')
      .trim();
    return {
      kind: 'done',
      outcome: passed(`${where}, as expected; found out after an interruption of the bot`, { output }),
    };
  }
  if (isAt(seen.stored, args.from)) {
    return { kind: 'not_done', evidence: `${where} still, and no session or process of this step is left` };
  }
  return { kind: 'unknown', evidence: `${where}, which is neither ${args.from} nor ${args.to}` };
}
