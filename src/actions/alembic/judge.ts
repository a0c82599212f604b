import { sayStep } from '../../checks/alembic-client.js';
import { failed, passed, spoken, unknown } from '../../checks/outcome.js';
import type { MigrationPlan } from '../../checks/plan/plans.js';
import { isAt, sayRevision } from '../../checks/revision.js';
import type { MigrateResult } from '../../clients/alembic.js';
import type { Outcome } from '../../runbook/step-kind.js';
import type { Aftermath } from './after.js';
import type { UpgradeArgs } from './arguments.js';
import { lowerFirst, sayTrouble } from './words.js';

/** Compares what Alembic announced with the plan, and the revision of now with the one that was wanted. */
export function judgeUpgrade(
  args: UpgradeArgs,
  name: string,
  plan: MigrationPlan,
  result: MigrateResult,
  after: Aftermath,
  blockers: readonly string[],
): Outcome {
  const facts = { lockTimeout: spoken(args['lock-timeout']), blocker: blockers[0] ?? null };
  const ended = result.kind === 'done' ? 'Alembic ended well' : sayTrouble(result, facts);
  if (after.kind !== 'settled') {
    return unknown(`${ended}, and what became of ${name} is not known: ${after.why}`);
  }
  const ran = (result.kind === 'done' ? result.ran : result.announced).map(sayStep);
  const expected = plan.steps.map(sayStep);
  const same = ran.length === expected.length && ran.every((step, index) => step === expected[index]);
  if (isAt(after.stored, args.to)) {
    if (!same) {
      const what = ran.length === 0 ? 'nothing' : ran.join(', ');
      return failed(
        `${name} is at ${args.to}, but Alembic ran ${what} where the plan says ${expected.join(', ')}: somebody else may have changed it at the same time`,
      );
    }
    if (result.kind !== 'done' && result.kind !== 'ended_early') {
      return failed(
        `${ended}, but ${name} is at ${args.to}: somebody else upgraded it at the same time. Make sure who it was before you go on`,
      );
    }
    const note =
      result.kind === 'done' ? '' : `, although ${lowerFirst(ended)}: the change was complete by then`;
    return passed(`${name} went from ${args.from} to ${args.to}${note}`);
  }
  const where = `${name} is at ${sayRevision(after.stored)}`;
  if (isAt(after.stored, args.from)) {
    if (result.kind === 'done' && ran.length === 0) {
      return failed(`Alembic ended well but ran nothing: a silent no-op. ${where}, expected ${args.to}`);
    }
    const stayed =
      plan.outside.length === 0
        ? 'it is one transaction, so nothing of it stayed'
        : 'the migration leaves its transaction, so part of it may have stayed: look before a retry';
    return failed(`${ended}; ${where} still, and ${stayed}`);
  }
  return failed(`${ended}; ${where}, which is neither ${args.from} nor ${args.to}`);
}
