import type { StepDeps } from '../checks/deps.js';
import { createPlans, type Plans } from '../checks/plan/plans.js';
import type { TargetConfig } from '../config.js';
import type { StepKind } from '../runbook/step-kind.js';
import { alembicDowngrade } from './alembic/downgrade.js';
import { alembicUpgrade } from './alembic/upgrade.js';
import { commandChange } from './command-change.js';
import { deadLetterReplay } from './dead-letter-replay.js';
import { jobsPause } from './jobs/pause.js';
import { jobsResume } from './jobs/resume.js';
import { jobsRetire } from './jobs/retire.js';
import { jobsRun } from './jobs/run.js';
import { locksRelease } from './locks-release.js';
import { outboxRetry } from './outbox-retry.js';
import { postgresArchive } from './postgres-archive.js';
import { postgresBackup } from './postgres-backup.js';
import { replaysCleanup } from './replays-cleanup.js';

/**
 * Every kind of step that can change its target. Each one has a probe. A new one is added here and nowhere else.
 * @param plans shared with the checks, so that one plan is made once
 */
export function createActions(deps: StepDeps, plans: Plans = createPlans(deps)): StepKind<TargetConfig>[] {
  return [
    postgresBackup(deps),
    alembicUpgrade(deps, plans),
    alembicDowngrade(deps, plans),
    postgresArchive(deps),
    commandChange(deps),
    jobsPause(deps),
    jobsResume(deps),
    jobsRun(deps),
    jobsRetire(deps),
    locksRelease(),
    replaysCleanup(),
    outboxRetry(),
    deadLetterReplay(),
  ];
}
