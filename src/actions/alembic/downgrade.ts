import { setTimeout as sleep } from 'node:timers/promises';
import type { StepDeps } from '../../checks/deps.js';
import { rendered } from '../../checks/environment.js';
import { failed, passed, spoken } from '../../checks/outcome.js';
import type { Plans } from '../../checks/plan/plans.js';
import { surveyOf } from '../../checks/plan/survey.js';
import { isAt, sayRevision, sayRevisions } from '../../checks/revision.js';
import { withSession } from '../../checks/session.js';
import type { TargetConfig } from '../../config.js';
import {
  defineKind,
  type Outcome,
  type PlanContext,
  type StepContext,
  type StepKind,
  type Survey,
} from '../../runbook/step-kind.js';
import { DowngradeArgs as Args, type DowngradeArgs } from './arguments.js';
import { attemptId } from './attempts.js';
import { readBefore } from './before.js';
import { judge } from './judge.js';
import { executionOf, migrate, planAsApproved } from './migrate.js';
import { probeDowngrade } from './probe.js';
import { outputOf } from './words.js';

/**
 * Runs `alembic downgrade`. It drops tables, for which it waits behind everybody who has read them, while new
 * readers queue behind it: so it gives up soon, names who was in the way, and tries again.
 */
export function alembicDowngrade(deps: StepDeps, plans: Plans): StepKind<TargetConfig> {
  return defineKind({
    name: 'alembic.downgrade',
    changes: true,
    holdsApproval: true,
    args: Args,
    relations: ({ from, to }) => ({ path: { how: 'downgrade', from, to } }),
    describe: (args, { target }) => ({
      words: `Downgrade ${target.name} from exactly ${sayRevisions(args.from)} to ${sayRevisions(args.to)}; a statement waits ${spoken(args['lock-timeout'])} for a lock, then up to ${args.attempts} attempts in all. At ${sayRevisions(args.to)} already: nothing to undo.`,
      commands: [
        `cd ${target.directory}`,
        ...args.to
          .filter((revision) => !args.from.includes(revision))
          .slice(0, 1)
          .map((to) =>
            rendered(target, ['alembic', 'downgrade', to], {
              PGOPTIONS: `-c lock_timeout=${args['lock-timeout']}`,
            }),
          ),
      ],
    }),
    survey: async (args, context) =>
      (await nothingToUndo(deps, args, context)) ?? surveyOf(plans, 'downgrade', args, context),
    run: (args, context) => downgrade(deps, plans, args, context),
    probe: (args, context) => probeDowngrade(deps, args, context),
  });
}

/**
 * What an approval covers where the target is back already, as after a failure on another one: nothing, and no word
 * of what a downgrade would lose. Should the target move meanwhile, its revision voids the approval.
 */
async function nothingToUndo(
  deps: StepDeps,
  args: DowngradeArgs,
  { target }: PlanContext<TargetConfig>,
): Promise<Survey | null> {
  const read = await withSession(target, { applicationName: 'm10bot:before' }, (database) =>
    deps.revisions.read(target, database),
  );
  // What cannot be read is told by what would be done there.
  if (read.kind !== 'ok' || !isAt(read.value, args.to)) return null;
  const told = `${target.name} is at ${sayRevisions(args.to)} already: nothing is undone there`;
  return { kind: 'surveyed', parts: { 'nothing to undo': told }, sql: [], warnings: [told] };
}

async function downgrade(
  deps: StepDeps,
  plans: Plans,
  args: DowngradeArgs,
  context: StepContext<TargetConfig>,
): Promise<Outcome> {
  const { target, applicationName, signal } = context;
  const { name } = target;
  const [from, to] = [sayRevisions(args.from), sayRevisions(args.to)];
  const log: string[] = [];
  const before = await readBefore(deps.revisions, target, applicationName);
  if (before.kind === 'unread') return failed(`${before.why}; nothing was run`);
  if (isAt(before.stored, args.to)) return passed(`${name} is at ${to} already, nothing to undo`);
  if (!isAt(before.stored, args.from)) {
    return failed(
      `${name} is at ${sayRevision(before.stored)}, expected exactly ${from}: from anywhere else a downgrade would undo what nobody approved. Nothing was run`,
    );
  }
  if (before.inTheWay !== null) return failed(`${before.inTheWay} on ${name}; nothing was run`);

  for (let attempt = 1; ; attempt += 1) {
    // Anew for each attempt: the pause between two may be long.
    const planned = await planAsApproved(plans, 'downgrade', args, context);
    if (planned.kind === 'over') return planned.outcome;
    const { results, after, blockers } = await migrate(deps, planned.plan, context, {
      id: attemptId(context, attempt),
      lockTimeoutMs: args['lock-timeout'],
    });
    log.push(`Attempt ${attempt} of ${args.attempts}:`, ...results.map(outputOf));
    if (blockers.length > 0) log.push('In the way:', ...blockers);
    log.push('');
    const output = log.join('\n').trim();
    const again =
      results.at(-1)?.kind === 'lock_timeout' && after.kind === 'settled' && isAt(after.stored, args.from);
    const lockTimeout = spoken(args['lock-timeout']);
    const outcome = await judge(name, planned.plan, { results, after, lockTimeout, blockers });
    const execution = await executionOf(planned.plan, results, context);
    if (!again) {
      const tries = attempt === 1 || outcome.result !== 'passed' ? '' : `, in attempt ${attempt}`;
      return { ...outcome, ...execution, summary: `${outcome.summary}${tries}`, output };
    }
    if (attempt >= args.attempts || signal.aborted) {
      const why = signal.aborted ? 'it was stopped' : `all ${args.attempts} attempts met a lock`;
      return { ...outcome, ...execution, summary: `${outcome.summary}; ${why}`, output };
    }
    await sleep(args.backoff * 2 ** (attempt - 1), undefined, { signal }).catch(() => undefined);
  }
}
