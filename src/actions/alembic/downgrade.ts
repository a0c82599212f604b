import { setTimeout as sleep } from 'node:timers/promises';
import { alembicFor, sayStep } from '../../checks/alembic-client.js';
import type { StepDeps } from '../../checks/deps.js';
import { rendered } from '../../checks/environment.js';
import { failed, passed, spoken, unknown } from '../../checks/outcome.js';
import type { MigrationPlan, Plans } from '../../checks/plan/plans.js';
import { surveyOf } from '../../checks/plan/survey.js';
import { isAt, sayRevision } from '../../checks/revision.js';
import type { MigrateResult } from '../../clients/alembic.js';
import type { TargetConfig } from '../../config.js';
import { defineKind, type Outcome, type StepContext, type StepKind } from '../../runbook/step-kind.js';
import { type Aftermath, settle } from './after.js';
import { DowngradeArgs as Args, type DowngradeArgs } from './arguments.js';
import { attemptId } from './attempts.js';
import { readBefore } from './before.js';
import { probeDowngrade } from './probe.js';
import { sayBlockers, watchingBlockers } from './watch.js';
import { outputOf, sayTrouble } from './words.js';

/**
 * Runs `alembic downgrade`. It drops tables, for which it waits behind everybody who has read them, while new
 * readers queue behind it: so it gives up soon, says who was in the way, and tries again.
 */
export function alembicDowngrade(deps: StepDeps, plans: Plans): StepKind<TargetConfig> {
  return defineKind({
    name: 'alembic.downgrade',
    changes: true,
    args: Args,
    describe: (args, { target }) => ({
      words: `Downgrade ${target.name} from exactly ${args.from} to ${args.to}; a statement waits ${spoken(args['lock-timeout'])} for a lock, then up to ${args.attempts} attempts in all. At ${args.to} already: nothing to undo.`,
      commands: [
        `cd ${target.directory}`,
        rendered(target, ['alembic', 'downgrade', args.to], {
          PGOPTIONS: `-c lock_timeout=${args['lock-timeout']}`,
        }),
      ],
    }),
    survey: (args, context) => surveyOf(plans, 'downgrade', args, context),
    run: (args, context) => downgrade(deps, plans, args, context),
    probe: (args, context) => probeDowngrade(deps, args, context),
  });
}

async function downgrade(
  deps: StepDeps,
  plans: Plans,
  args: DowngradeArgs,
  context: StepContext<TargetConfig>,
): Promise<Outcome> {
  const { target, applicationName, signal } = context;
  const { name } = target;
  const log: string[] = [];
  const before = await readBefore(target, applicationName);
  if (before.kind === 'unread') return failed(`${before.why}; nothing was run`);
  if (isAt(before.stored, args.to)) return passed(`${name} is at ${args.to} already, nothing to undo`);
  if (!isAt(before.stored, args.from)) {
    return failed(
      `${name} is at ${sayRevision(before.stored)}, expected exactly ${args.from}: from anywhere else a downgrade would undo what nobody approved. Nothing was run`,
    );
  }
  if (before.inTheWay !== null) return failed(`${before.inTheWay} on ${name}; nothing was run`);
  const planned = await plans.of(target, 'downgrade', args.from, args.to);
  if (planned.kind === 'failed') return failed(`${planned.why}; nothing was run`);

  for (let attempt = 1; ; attempt += 1) {
    const alembic = alembicFor(deps, target, applicationName, attemptId(context, attempt));
    const { value: result, blocked } = await watchingBlockers(target, applicationName, () =>
      alembic.downgrade(args.to, {
        lockTimeoutMs: args['lock-timeout'],
        timeoutMs: context.step.timeout,
        signal,
      }),
    );
    const after = await settle(target, applicationName);
    const blockers = sayBlockers(blocked);
    log.push(`Attempt ${attempt} of ${args.attempts}:`, outputOf(result));
    if (blockers.length > 0) log.push('In the way:', ...blockers);
    log.push('');
    const outcome = judge(args, name, planned.plan, result, after, blockers, attempt);
    if (outcome.kind === 'over') return { ...outcome.outcome, output: log.join('\n').trim() };
    if (attempt >= args.attempts || signal.aborted) {
      const why = signal.aborted ? 'it was stopped' : `all ${args.attempts} attempts met a lock`;
      const behind = blockers[0] === undefined ? '' : `. In the way: ${blockers[0]}`;
      return failed(`${name} is at ${args.from} still, nothing was undone: ${why}${behind}`, {
        output: log.join('\n').trim(),
      });
    }
    await sleep(args.backoff * 2 ** (attempt - 1), undefined, { signal }).catch(() => undefined);
  }
}

type Verdict = { readonly kind: 'over'; readonly outcome: Outcome } | { readonly kind: 'try_again' };

function judge(
  args: DowngradeArgs,
  name: string,
  plan: MigrationPlan,
  result: MigrateResult,
  after: Aftermath,
  blockers: readonly string[],
  attempt: number,
): Verdict {
  const over = (outcome: Outcome): Verdict => ({ kind: 'over', outcome });
  const facts = { lockTimeout: spoken(args['lock-timeout']), blocker: blockers[0] ?? null };
  const ended = result.kind === 'done' ? 'Alembic ended well' : sayTrouble(result, facts);
  if (after.kind !== 'settled') {
    return over(unknown(`${ended}, and what became of ${name} is not known: ${after.why}`));
  }
  const where = `${name} is at ${sayRevision(after.stored)}`;
  if (isAt(after.stored, args.to)) {
    const ran = (result.kind === 'done' ? result.ran : result.announced).map(sayStep);
    const expected = plan.steps.map(sayStep);
    if (ran.join() !== expected.join()) {
      const what = ran.length === 0 ? 'nothing' : ran.join(', ');
      return over(
        failed(
          `${where}, but Alembic undid ${what} where the plan says ${expected.join(', ')}: somebody else may have changed it at the same time`,
        ),
      );
    }
    if (result.kind !== 'done' && result.kind !== 'ended_early') {
      return over(
        failed(
          `${ended}, but ${name} is at ${args.to}: somebody else downgraded it at the same time. Make sure who it was before you go on`,
        ),
      );
    }
    const tries = attempt === 1 ? '' : `, in attempt ${attempt}`;
    return over(passed(`${name} went back from ${args.from} to ${args.to}${tries}`));
  }
  if (isAt(after.stored, args.from)) {
    if (result.kind === 'lock_timeout') return { kind: 'try_again' };
    const what = result.kind === 'done' ? 'Alembic ended well but undid nothing' : ended;
    return over(failed(`${what}; ${where} still, nothing was undone`));
  }
  return over(failed(`${ended}; ${where}, which is neither ${args.from} nor ${args.to}`));
}
