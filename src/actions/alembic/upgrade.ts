import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { alembicFor } from '../../checks/alembic-client.js';
import type { StepDeps } from '../../checks/deps.js';
import { rendered } from '../../checks/environment.js';
import { failed, spoken } from '../../checks/outcome.js';
import type { Plans } from '../../checks/plan/plans.js';
import { surveyOf } from '../../checks/plan/survey.js';
import { isAt, sayRevision } from '../../checks/revision.js';
import type { TargetConfig } from '../../config.js';
import { defineKind, type Outcome, type StepContext, type StepKind } from '../../runbook/step-kind.js';
import { settle } from './after.js';
import { UpgradeArgs as Args, type UpgradeArgs } from './arguments.js';
import { readBefore } from './before.js';
import { judgeUpgrade } from './judge.js';
import { probeUpgrade } from './probe.js';
import { sayBlockers, watchingBlockers } from './watch.js';
import { outputOf } from './words.js';

/**
 * Runs `alembic upgrade`. Its exit code and its silence prove nothing, so the revision is read right before and
 * right after, and the steps it announces must be the ones of the plan.
 */
export function alembicUpgrade(deps: StepDeps, plans: Plans): StepKind<TargetConfig> {
  return defineKind({
    name: 'alembic.upgrade',
    changes: true,
    args: Args,
    describe: (args, { target }) => ({
      words: `Upgrade ${target.name} from exactly ${args.from} to ${args.to}; a statement waits ${spoken(args['lock-timeout'])} for a lock at most.`,
      commands: [
        `cd ${target.directory}`,
        rendered(target, ['alembic', 'upgrade', args.to], { PGOPTIONS: settings(args) }),
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
  const { target, applicationName } = context;
  const planned = await plans.of(target, 'upgrade', args.from, args.to);
  if (planned.kind === 'failed') return failed(`${planned.why}; nothing was run`);
  const refusal = await reasonNotToStart(args, context);
  if (refusal !== null) return failed(`${refusal}; nothing was run`);

  const alembic = alembicFor(deps, target, applicationName, context.childId);
  const { value: result, blocked } = await watchingBlockers(target, applicationName, () =>
    alembic.upgrade(args.to, {
      lockTimeoutMs: args['lock-timeout'],
      ...(args['statement-timeout'] === undefined ? {} : { statementTimeoutMs: args['statement-timeout'] }),
      timeoutMs: context.step.timeout,
      signal: context.signal,
    }),
  );
  const after = await settle(target, applicationName);
  const blockers = sayBlockers(blocked);
  const outcome = judgeUpgrade(args, target.name, planned.plan, result, after, blockers);
  const output = [
    ...(blockers.length === 0 ? [] : ['In the way while it ran:', ...blockers, '']),
    outputOf(result),
  ].join('\n');
  return { ...outcome, output };
}

async function reasonNotToStart(
  args: UpgradeArgs,
  context: StepContext<TargetConfig>,
): Promise<string | null> {
  const { name } = context.target;
  const before = await readBefore(context.target, context.applicationName);
  if (before.kind === 'unread') return before.why;
  if (isAt(before.stored, args.to)) {
    return `${name} is at ${args.to} already, where an upgrade would do nothing and still look well. If an earlier attempt did it, skip this step`;
  }
  if (!isAt(before.stored, args.from)) {
    return `${name} is at ${sayRevision(before.stored)}, expected exactly ${args.from}; from anywhere else something would run that nobody approved, or nothing at all`;
  }
  if (before.inTheWay !== null) return `${before.inTheWay} on ${name}`;
  return args.backup === undefined ? null : backupProblem(args.backup, args.from, context);
}

const BackupData = z.object({ path: z.string(), bytes: z.number(), revision: z.string().nullable() });

/** The backup that a restore would need must be this run's own, of this state, and still there. */
async function backupProblem(
  step: string,
  from: string,
  context: StepContext<TargetConfig>,
): Promise<string | null> {
  const parsed = BackupData.safeParse(context.dataOf(step));
  if (!parsed.success) return `the step ${step} of this run left no backup`;
  const { path, bytes, revision } = parsed.data;
  if (revision !== from)
    return `the backup ${path} was taken at ${revision ?? 'no revision'}, expected ${from}`;
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
