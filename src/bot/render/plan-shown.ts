import type { EventOf } from '../../runbook/events.js';
import { code, line, person } from './escape.js';
import { planBlocks } from './gate.js';
import { header, message, type Rendered, section } from './message.js';
import { headlineBlocks } from './not-shown.js';
import { plural } from './words.js';

/** What a runbook would do now; the SQL follows as a file in this message's thread. */
export function renderPlanShown(event: EventOf<'PlanShown'>): Rendered {
  const { plan } = event;
  const at = plan.targets
    .map((t) => `*${line(t.target)}* is at ${t.revision === null ? 'no revision' : code(t.revision)}`)
    .join('; ');
  const moves = plan.sql.map((s) => `*${line(s.target)}*: ${code(s.from)} → ${code(s.to)}`).join('; ');
  const what = `${person(event.by)} asked what *${line(event.runbook)}* would do now: ${plural(plan.steps.length, 'step')}. Nothing was started.`;
  return message(`${what} ${at}.`, [
    header(`Plan of ${event.runbook}`),
    ...headlineBlocks(plan),
    section([what, at, moves].filter((part) => part !== '').join('\n')),
    ...planBlocks(plan, () => true),
  ]);
}
