import { type Deed, type Demand, demandOf, scheduleOf } from '../runbook/jobs/rule.js';
import { standingOf } from '../runbook/jobs/schedules.js';
import type { JobsJournal } from '../store/jobs.js';
import type { CommandContext } from './context.js';

/** Asks the rule about what one operator may do on demand, with the schedule that it depends on as it is now. */
export async function demanded(
  context: Pick<CommandContext, 'jobs'>,
  journal: Pick<JobsJournal, 'load'>,
  deed: Deed,
): Promise<Demand> {
  const job = scheduleOf(deed);
  if (job === null) return demandOf(deed, 'off');
  const [{ state }, now] = await Promise.all([journal.load(), context.jobs.covers(job)]);
  return demandOf(deed, standingOf(state, job, now.kind === 'read' ? now.parts : null));
}

/** Why a request was opened instead of the deed being done. */
export function approvalNeeded(why: string): string {
  return `It needs a second person's approval: ${why}.`;
}
