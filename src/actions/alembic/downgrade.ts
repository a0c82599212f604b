import { setTimeout as sleep } from 'node:timers/promises';
import type { StepDeps } from '../../checks/deps.js';
import { rendered } from '../../checks/environment.js';
import { failed, passed, spoken } from '../../checks/outcome.js';
import { keptStatements } from '../../checks/plan/executed.js';
import { type Look, lookIn } from '../../checks/plan/judged.js';
import type { MigrationPlan } from '../../checks/plan/migration-plan.js';
import type { Plans } from '../../checks/plan/plans.js';
import { surveyOf } from '../../checks/plan/survey.js';
import { isAt, sayRevision, sayRevisions } from '../../checks/revision.js';
import { withSession } from '../../checks/session.js';
import type { Observed } from '../../clients/alembic/observed.js';
import type { MigrateResult } from '../../clients/alembic.js';
import type { TargetConfig } from '../../config.js';
import {
  defineKind,
  type Outcome,
  type PlanContext,
  type StepContext,
  type StepKind,
  type Survey,
} from '../../runbook/step-kind.js';
import type { Aftermath } from './after.js';
import { archiveAnew, archivedBy, sayArchived } from './archived.js';
import { DowngradeArgs as Args, type DowngradeArgs } from './arguments.js';
import { attemptId } from './attempts.js';
import { readBefore } from './before.js';
import { executionOf, observedOf, stayedPart } from './execution.js';
import { judge, stayedAfter } from './judge.js';
import { migrate, planAsApproved } from './migrate.js';
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
      words: `Downgrade ${target.name} from exactly ${sayRevisions(args.from)} to ${sayRevisions(args.to)}; a statement waits ${spoken(args['lock-timeout'])} for a lock, then up to ${args.attempts} attempts in all. At ${sayRevisions(args.to)} already: nothing to undo.${args.archive === undefined ? '' : ` Rows that were written since ${args.archive} are archived anew before anything is dropped.`}`,
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
    probe: (args, context) => probeDowngrade(deps, plans, args, context),
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
  const earlier: (Observed | null)[] = [];
  const look = lookIn(target);
  const before = await readBefore(deps.revisions, target, applicationName);
  if (before.kind === 'unread') return failed(`${before.why}; nothing was run`);
  if (isAt(before.stored, args.to)) {
    return passed(`${name} is at ${to} already, nothing to undo`, { executed: keptStatements([]) });
  }
  if (!isAt(before.stored, args.from)) {
    return failed(
      `${name} is at ${sayRevision(before.stored)}, expected exactly ${from}: from anywhere else a downgrade would undo what nobody approved. Nothing was run`,
    );
  }
  if (before.inTheWay !== null) return failed(`${before.inTheWay} on ${name}; nothing was run`);

  let archived = args.archive === undefined ? null : await archivedBy(deps, args.archive, context);
  const notes: string[] = [];
  const ended: MigrateResult[] = [];
  for (let attempt = 1; ; attempt += 1) {
    if (archived?.kind === 'failed') {
      return failed(`${archived.why}; ${name} was not downgraded`, { output: archived.output });
    }
    // Anew for each attempt: the pause between two may be long.
    const planned = await planAsApproved(plans, 'downgrade', args, context);
    if (planned.kind === 'over') return planned.outcome;
    const { results, after, blockers } = await migrate(deps, planned.plan, context, {
      id: attemptId(context, attempt),
      lockTimeoutMs: args['lock-timeout'],
      ...(archived === null ? {} : { unchanged: archived.tables }),
    });
    log.push(`Attempt ${attempt} of ${args.attempts}:`, ...results.map(outputOf));
    if (blockers.length > 0) log.push('In the way:', ...blockers);
    log.push('');
    const output = log.join('\n').trim();
    const last = results.at(-1);
    const written = last?.kind === 'refused' && last.observed?.refused?.code === 'rows_changed';
    const lockTimeout = spoken(args['lock-timeout']);
    const outcome = await judge(name, planned.plan, {
      results,
      earlier: ended,
      after,
      lockTimeout,
      blockers,
      look,
      redact: context.redact,
    });
    const again = await mayTryAgain(planned.plan, results, after, look, written);
    ended.push(...results);
    const { differing, ...execution } = await executionOf(
      {
        plan: planned.plan,
        observed: [...earlier, ...observedOf(results)],
        arrived: outcome.result === 'passed',
      },
      context,
    );
    if (!again) {
      const passes = outcome.result === 'passed';
      const tries = attempt === 1 || !passes ? '' : `, in attempt ${attempt}`;
      const kept = archived === null || !passes ? '' : `; its ${sayArchived(archived.tables)} are archived`;
      const told = [...(execution.notes ?? []), ...notes];
      return {
        ...outcome,
        ...execution,
        summary: `${outcome.summary}${tries}${kept}`,
        output: `${output}${differing}`,
        ...(told.length === 0 ? {} : { notes: told }),
      };
    }
    if (attempt >= args.attempts || signal.aborted) {
      const met = written
        ? 'rows are written faster than they are archived: stop what writes them, then retry'
        : `all ${args.attempts} attempts met a lock`;
      const summary = `${outcome.summary}; ${signal.aborted ? 'it was stopped' : met}`;
      return { ...outcome, ...execution, summary, output: `${output}${differing}` };
    }
    earlier.push(...observedOf(results).map((one) => (one === null ? null : stayedPart(one))));
    if (written && args.archive !== undefined) {
      archived = await archiveAnew(deps, args.archive, context, attempt);
      const path = archived.kind === 'archived' ? archived.path : null;
      if (path !== null) {
        log.push(`Rows were written since the archive; they are archived anew in ${path}`, '');
        notes.push(`rows were written after the first archive; the one that holds all of them is ${path}`);
      }
      continue;
    }
    await sleep(args.backoff * 2 ** (attempt - 1), undefined, { signal }).catch(() => undefined);
  }
}

/** A lock was in the way, or rows that no archive holds, and the database is as it was approved: what stayed of an attempt was never part of a plan. */
async function mayTryAgain(
  plan: MigrationPlan,
  results: readonly MigrateResult[],
  after: Aftermath,
  look: Look,
  written: boolean,
): Promise<boolean> {
  const kind = results.at(-1)?.kind;
  const locked = kind === 'lock_timeout' || kind === 'lock_nowait' || kind === 'lock_unavailable';
  if (!locked && !written) return false;
  if (after.kind !== 'settled' || !isAt(after.stored, plan.from)) return false;
  const { committed, lasting, uncertain, unanswered } = await stayedAfter(plan, { results, look }, after);
  return committed.length + lasting.length + uncertain.length + unanswered.length === 0;
}
