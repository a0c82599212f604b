import type { TargetConfig } from '../config.js';
import type { StepKind } from '../runbook/step-kind.js';
import { alembicCurrent } from './alembic-current.js';
import { alembicPlan } from './alembic-plan.js';
import { approversPresent } from './approvers-present.js';
import { command } from './command.js';
import type { StepDeps } from './deps.js';
import { diskSpace } from './disk-space.js';
import { httpMetrics } from './http-metrics.js';
import { jobsScheduled } from './jobs-scheduled.js';
import { createPlans, type Plans } from './plan/plans.js';
import { postgresActivity } from './postgres-activity.js';
import { postgresAssert } from './postgres-assert.js';
import { postgresCall } from './postgres-call.js';
import { postgresIdentity } from './postgres-identity.js';
import { postgresObjects } from './postgres-objects.js';
import { redisConfig } from './redis-config.js';
import { toolsPresent } from './tools-present.js';
import { windowOpen } from './window-open.js';

/**
 * Every kind of step that only reads. A new one is added here and nowhere else.
 * @param plans shared with the actions, so that one plan is made once
 */
export function createChecks(deps: StepDeps, plans: Plans = createPlans(deps)): StepKind<TargetConfig>[] {
  return [
    alembicCurrent(deps),
    alembicPlan(plans),
    postgresIdentity(deps),
    postgresActivity(deps),
    postgresObjects(),
    postgresCall(),
    postgresAssert(),
    redisConfig(),
    httpMetrics(deps),
    command(deps),
    toolsPresent(deps),
    diskSpace(deps),
    approversPresent(deps),
    windowOpen(deps),
    jobsScheduled(deps),
  ];
}
