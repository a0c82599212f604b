import type { EventOf } from '../../runbook/events.js';
import type { OpenedRun } from '../../runbook/state.js';
import { code, line } from './escape.js';
import { message, type Rendered, section } from './message.js';
import { whatNow } from './now.js';

/** A change did not start, because Slack did not show the approval that the journal holds. */
export function renderUnconfirmed(state: OpenedRun, event: EventOf<'ApprovalNotConfirmed'>): Rendered {
  const head = `🛑 Run ${state.run} is stopped before ${code(event.step)}: ${line(event.why)}.`;
  const means =
    'Either an approval was taken back after the start, or the approval in the journal was never given in Slack. If nobody took a ✅ back, find out who can write to the state database.';
  return message(`${head} ${means} ${whatNow(state)}`, [
    section(`*${head}*\n${means}`),
    section(`${whatNow(state)} Going on needs a new approval.`),
  ]);
}
