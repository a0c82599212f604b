import type { EventOf } from '../../runbook/events.js';
import type { OpenedRun } from '../../runbook/state.js';
import { line, person } from './escape.js';
import { message, type Rendered, section } from './message.js';
import { safeNow, whatNow } from './now.js';

/** Somebody stopped the run: says at once what is safe. */
export function renderStopped(state: OpenedRun, event: EventOf<'StopRequested'>): Rendered {
  const reason = event.reason === '' ? '' : `\nReason: ${line(event.reason)}`;
  const who = `🛑 ${person(event.by)} stopped run ${state.run}${event.now ? ', with the running step' : ''}.`;
  return message(`${who} ${safeNow(state)}`, [
    section(`*${who}*${reason}\n${safeNow(state)}`),
    section(whatNow(state)),
  ]);
}
