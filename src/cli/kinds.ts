import { createActions } from '../actions/index.js';
import type { StepDeps } from '../checks/deps.js';
import { createChecks } from '../checks/index.js';
import { createRevisions } from '../checks/revisions.js';
import { createProcesses } from '../clients/process.js';
import type { TargetConfig } from '../config.js';
import { noJobs } from '../runbook/jobs/port.js';
import type { StepKind } from '../runbook/step-kind.js';

const offline = 'there is no connection to Slack here';

/**
 * Every step kind, for reading runbooks. Binding a step reads its arguments and nothing else, so that neither
 * Slack nor a target is needed, and nothing of these dependencies is ever used.
 */
export function offlineKinds(): ReadonlyMap<string, StepKind<TargetConfig>> {
  const processes = createProcesses({ directory: '.' });
  const deps: StepDeps = {
    processes,
    revisions: createRevisions({ processes, now: Date.now }),
    people: {
      verdict: async () => ({ kind: 'not_asked', why: offline, retryAfterMs: 0 }),
      roster: async () => ({ eligible: [], ineligible: [], problems: [offline], notAsked: [] }),
      signs: async () => ({ kind: 'not_asked', why: offline, retryAfterMs: 0 }),
    },
    config: { backups: { directory: '.', minFreeBytes: 0 }, windows: [], targets: {}, jobs: null },
    jobs: noJobs,
    now: Date.now,
    workDirectory: '.',
  };
  return new Map([...createChecks(deps), ...createActions(deps)].map((kind) => [kind.name, kind]));
}
