import type { StepDeps } from '../../checks/deps.js';
import { passed } from '../../checks/outcome.js';
import { who } from '../../checks/postgres-activity.js';
import { isAt, sayRevision, sayRevisions } from '../../checks/revision.js';
import type { TargetConfig } from '../../config.js';
import type { Probe, StepContext } from '../../runbook/step-kind.js';
import { sight } from './after.js';
import type { DowngradeArgs, UpgradeArgs } from './arguments.js';
import { attemptId } from './attempts.js';
import { sessionsOf } from './sessions.js';
import { sayStayed, stayedOf } from './stayed.js';

/** What became of an upgrade whose runner died. */
export async function probeUpgrade(
  deps: StepDeps,
  args: UpgradeArgs,
  context: StepContext<TargetConfig>,
): Promise<Probe> {
  const ids = args.to.map((to) => `${context.childId}/upgrade-${to}`);
  return probeMigration(deps, ids, args, context);
}

/** What became of a downgrade whose runner died. */
export async function probeDowngrade(
  deps: StepDeps,
  args: DowngradeArgs,
  context: StepContext<TargetConfig>,
): Promise<Probe> {
  const attempts = Array.from({ length: args.attempts }, (_, index) => attemptId(context, index + 1));
  const ids = attempts.flatMap((attempt) => args.to.map((to) => `${attempt}/downgrade-${to}`));
  return probeMigration(deps, ids, args, context);
}

async function probeMigration(
  { processes, revisions }: StepDeps,
  all: readonly string[],
  args: { readonly from: readonly string[]; readonly to: readonly string[] },
  context: StepContext<TargetConfig>,
): Promise<Probe> {
  // The program first: between its start and its connection only it can be seen.
  const started: string[] = [];
  for (const id of all) {
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
  if (isAt(seen.stored, args.to)) {
    const outputs = await Promise.all(started.map((id) => processes.tail(id, 4_000)));
    const output = outputs
      .map((o) => `${o.stdout}${o.stderr}`.trim())
      .join('\n')
      .trim();
    return {
      kind: 'done',
      outcome: passed(`${where}, as expected; found out after an interruption of the bot`, { output }),
    };
  }
  if (!isAt(seen.stored, args.from)) {
    const neither = `neither ${sayRevisions(args.from)} nor ${sayRevisions(args.to)}`;
    return { kind: 'unknown', evidence: `${where}, which is ${neither}` };
  }
  // A session that was never seen under a verified identity may be at work under another name.
  const stayed = await stayedOf(own.observed, { traces: seen.traces, version: 'kept' });
  return stayed.kind === 'nothing'
    ? { kind: 'not_done', evidence: `${where} still, and no session or process of this step is left` }
    : { kind: 'unknown', evidence: `${where} still, but ${sayStayed(stayed)}` };
}
