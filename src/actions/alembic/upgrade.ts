import { stat } from 'node:fs/promises';
import { z } from 'zod';
import type { StepDeps } from '../../checks/deps.js';
import { rendered } from '../../checks/environment.js';
import { failed, spoken } from '../../checks/outcome.js';
import { lookIn } from '../../checks/plan/judged.js';
import type { Plans } from '../../checks/plan/plans.js';
import { surveyOf } from '../../checks/plan/survey.js';
import { isAt, sayRevision, sayRevisions } from '../../checks/revision.js';
import type { TargetConfig } from '../../config.js';
import { noBackup } from '../../runbook/relations.js';
import { defineKind, type Outcome, type StepContext, type StepKind } from '../../runbook/step-kind.js';
import { UpgradeArgs as Args, type UpgradeArgs } from './arguments.js';
import { readBefore } from './before.js';
import { executionOf, observedOf } from './execution.js';
import { judge } from './judge.js';
import { migrate, planAsApproved } from './migrate.js';
import { probeUpgrade } from './probe.js';
import { outputOf } from './words.js';

/**
 * Runs `alembic upgrade`. Its exit code and its silence prove nothing, so an observer inside reports what it
 * does, the revision is read right before and right after, and its steps must be the ones of the plan.
 */
export function alembicUpgrade(deps: StepDeps, plans: Plans): StepKind<TargetConfig> {
  return defineKind({
    name: 'alembic.upgrade',
    changes: true,
    holdsApproval: true,
    args: Args,
    relations: ({ from, to, backup }) => ({ path: { how: 'upgrade', from, to }, backup: backup ?? null }),
    describe: (args, { target }) => ({
      words: `Upgrade ${target.name} from exactly ${sayRevisions(args.from)} to ${sayRevisions(args.to)}; a statement waits ${spoken(args['lock-timeout'])} for a lock at most.`,
      commands: [
        `cd ${target.directory}`,
        ...args.to
          .filter((revision) => !args.from.includes(revision))
          .map((to) => rendered(target, ['alembic', 'upgrade', to], { PGOPTIONS: settings(args) })),
      ],
    }),
    survey: (args, context) => surveyOf(plans, 'upgrade', args, context),
    run: (args, context) => upgrade(deps, plans, args, context),
    probe: (args, context) => probeUpgrade(deps, plans, args, context),
  });
}

async function upgrade(
  deps: StepDeps,
  plans: Plans,
  args: UpgradeArgs,
  context: StepContext<TargetConfig>,
): Promise<Outcome> {
  const { target } = context;
  const refusal = await reasonNotToStart(deps, args, context);
  if (refusal !== null) return failed(`${refusal}; nothing was run`);
  const planned = await planAsApproved(plans, 'upgrade', args, context);
  if (planned.kind === 'over') return planned.outcome;
  const { results, after, blockers } = await migrate(deps, planned.plan, context, {
    id: context.childId,
    lockTimeoutMs: args['lock-timeout'],
    statementTimeoutMs: args['statement-timeout'],
  });
  const lockTimeout = spoken(args['lock-timeout']);
  const look = lookIn(target);
  const outcome = await judge(target.name, planned.plan, {
    results,
    after,
    lockTimeout,
    blockers,
    look,
    redact: context.redact,
  });
  const { differing, ...execution } = await executionOf(
    { plan: planned.plan, observed: observedOf(results), arrived: outcome.result === 'passed' },
    context,
  );
  const output = [
    ...(blockers.length === 0 ? [] : ['In the way while it ran:', ...blockers, '']),
    ...results.map(outputOf),
  ].join('\n');
  return { ...outcome, ...execution, output: `${output}${differing}` };
}

async function reasonNotToStart(
  deps: StepDeps,
  args: UpgradeArgs,
  context: StepContext<TargetConfig>,
): Promise<string | null> {
  const { name } = context.target;
  const before = await readBefore(deps.revisions, context.target, context.applicationName);
  if (before.kind === 'unread') return before.why;
  if (isAt(before.stored, args.to)) {
    return `${name} is at ${sayRevisions(args.to)} already, where an upgrade would do nothing and still look well. If an earlier attempt did it, skip this step`;
  }
  if (!isAt(before.stored, args.from)) {
    return `${name} is at ${sayRevision(before.stored)}, expected exactly ${sayRevisions(args.from)}; from anywhere else something would run that nobody approved, or nothing at all`;
  }
  if (before.inTheWay !== null) return `${before.inTheWay} on ${name}`;
  const { backup = noBackup } = args;
  return backup === noBackup ? null : backupProblem(backup, args.from, context);
}

const BackupData = z.object({ path: z.string(), bytes: z.number(), revision: z.string().nullable() });

/** The backup that a restore would need must be this run's own, of this state, and still there. */
async function backupProblem(
  step: string,
  from: readonly string[],
  context: StepContext<TargetConfig>,
): Promise<string | null> {
  const parsed = BackupData.safeParse(context.dataOf(step));
  if (!parsed.success) return `the step ${step} of this run left no backup`;
  const { path, bytes, revision } = parsed.data;
  if (revision !== sayRevisions(from)) {
    return `the backup ${path} was taken at ${revision ?? 'no revision'}, expected ${sayRevisions(from)}`;
  }
  const size = await stat(path).then(
    (file) => file.size,
    () => null,
  );
  if (size === null) return `the backup ${path} is not there any more`;
  return size === bytes ? null : `the backup ${path} has ${size} bytes, ${bytes} when it was proven`;
}

function settings(args: UpgradeArgs): string {
  const lock = `-c lock_timeout=${args['lock-timeout']}`;
  const statement = args['statement-timeout'];
  return statement === undefined ? lock : `${lock} -c statement_timeout=${statement}`;
}
