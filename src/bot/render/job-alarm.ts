import type { JobAlarm, JobEventOf } from '../../runbook/jobs/events.js';
import { code, line, mentioning, prose } from './escape.js';
import { cutMrkdwn, cutText, headLines } from './limits.js';
import { message, preformatted, type Rendered, section } from './message.js';

const signs: Readonly<Record<JobAlarm, string>> = { failing: '🔴', overdue: '⚠️', lag: '⚠️' };

/** Something is wrong with a job: what, with its error, and what can be done now. */
export function renderAlarmRaised(event: JobEventOf<'JobAlarmRaised'>): Rendered {
  const sign = signs[event.alarm];
  const what = cutMrkdwn(line(event.summary), 1_000);
  // The advice of a lag names who paused the job, and nothing from outside.
  const advice = event.alarm === 'lag' ? mentioning(event.advice) : prose(cutText(event.advice, 1_500));
  const error = event.error.trim() === '' ? [] : [preformatted(headLines(event.error, 15, 1_500).text)];
  return message(
    [sign, what, advice].filter((part) => part !== '').join(' '),
    [section(`${sign} *${what}*`), ...error],
    advice === '' ? [] : [section(advice)],
  );
}

/** It is well again. */
export function renderAlarmCleared(event: JobEventOf<'JobAlarmCleared'>): Rendered {
  const what = `✅ ${cutMrkdwn(line(event.summary), 1_000)}`;
  return message(what, [section(`${what} ${code('/m10 jobs')} shows how all jobs stand.`)]);
}
