import type { JobEventOf } from '../../runbook/jobs/events.js';
import { code, line, person } from './escape.js';
import { jobCodes } from './job-words.js';
import { message, type Rendered, section } from './message.js';

/** Schedules were switched off or on: which, by whom, why, and what that means. */
export function renderJobsSwitched(event: JobEventOf<'JobsPaused' | 'JobsResumed'>): Rendered {
  const off = event.type === 'JobsPaused';
  const within = event.run === null ? '' : ` in run ${event.run}`;
  const approvers = event.type === 'JobsResumed' ? (event.approval?.approvers ?? []) : [];
  const approved = approvers.length === 0 ? '' : `, approved by ${approvers.map(person).join(' and ')}`;
  const who = `${person(event.by)} ${off ? 'paused' : 'switched on'} ${jobCodes(event.jobs)}${within}${approved}.`;
  const reason = event.reason === '' ? '' : `Reason: ${line(event.reason)}`;
  const means = off
    ? `No schedule starts ${event.jobs.length === 1 ? 'it' : 'them'}; a run that is under way ends before its next batch. ${code('/m10 jobs resume JOB')} asks a second person to approve switching one on again.`
    : `${event.jobs.length === 1 ? 'It runs' : 'They run'} by schedule from now on. ${code('/m10 jobs')} shows when.`;
  const sign = off ? '⏸️' : '▶️';
  return message(`${sign} ${[who, means, reason].filter((part) => part !== '').join(' ')}`, [
    section([`${sign} ${who}`, reason, means].filter((part) => part !== '').join('\n')),
  ]);
}
