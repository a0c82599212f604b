import type { JobEventOf } from '../../runbook/jobs/events.js';
import { code, line } from './escape.js';
import { jobCodes } from './job-words.js';
import { cutMrkdwn, fitLines } from './limits.js';
import { message, type Rendered, section } from './message.js';

/** A job is not what was approved: its schedule is off, what differs, and what can be done. */
export function renderScheduleVoided(event: JobEventOf<'ScheduleVoided'>): Rendered {
  const { job, approved, diff } = event;
  const what = approved
    ? `${code(job)} is not what was approved any more. Its schedule is off.`
    : `${code(job)} has changed, and nobody had approved it. Its schedule is off.`;
  const differs = diff.map((each) => `• ${cutMrkdwn(line(each), 600)}`);
  const next = `Undo the change if it was not intended. Then ${code(`/m10 jobs resume ${job}`)} asks a second person to approve the job as it is.`;
  return message(`🔴 ${what} ${next}`, [
    section(`🔴 *${what}*`),
    section(fitLines(['What differs:', ...differs], 2_500, 'differences')),
    section(next),
  ]);
}

/** Schedules that are on since before they were approved: what that means, and what can be done. */
export function renderSchedulesUnapproved(event: JobEventOf<'SchedulesUnapproved'>): Rendered {
  const { jobs } = event;
  const one = jobs.length === 1;
  const what = `${jobCodes(jobs)} ${one ? 'is' : 'are'} switched on, and no second person has approved ${one ? 'it' : 'them'}.`;
  const means = `${one ? 'The schedule was' : 'The schedules were'} on when m10bot began to ask for approvals, and ${one ? 'goes' : 'go'} on. A job that changes from now on is switched off.`;
  const next = `${code(`/m10 jobs resume ${one ? jobs[0] : 'all'}`)} asks for the approval; ${code('/m10 jobs pause JOB')} switches one off.`;
  return message(`⚠️ ${what} ${means} ${next}`, [section(`⚠️ *${what}*\n${means}`), section(next)]);
}
