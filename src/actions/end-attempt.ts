import type { Processes } from '../clients/process.js';
import type { TargetConfig } from '../config.js';
import type { StepContext } from '../runbook/step-kind.js';
import { endSessions } from './alembic/after.js';
import { sessionsOf } from './alembic/sessions.js';

/** Ends what an attempt left running, whichever kind of step it was. */
export type EndAttempt = (context: StepContext<TargetConfig>) => Promise<void>;

/**
 * For an attempt whose runner died: its programs get TERM and then KILL, its database sessions are cancelled
 * and then ended. What became of the target is the probe's to say, afterwards.
 */
export function createEndAttempt(deps: {
  readonly processes: Pick<Processes, 'below' | 'stop' | 'paths'>;
}): EndAttempt {
  return async ({ childId, target, applicationName }) => {
    const ids = deps.processes.below(childId);
    await Promise.all(ids.map((id) => deps.processes.stop(id)));
    await endSessions(target, await sessionsOf(deps.processes, ids, applicationName));
  };
}
