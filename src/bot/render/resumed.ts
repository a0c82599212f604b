import type { EventOf } from '../../runbook/events.js';
import type { OpenedRun } from '../../runbook/state.js';
import { person } from './escape.js';
import { message, type Rendered, section } from './message.js';
import { whatNow } from './now.js';

export function renderResumed(state: OpenedRun, event: EventOf<'RunResumed'>): Rendered {
  const who = `${person(event.by)} resumed run ${state.run}.`;
  return message(`${who} ${whatNow(state)}`, [section(`*${who}* ${whatNow(state)}`)]);
}
