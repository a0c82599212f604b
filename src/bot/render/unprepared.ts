import type { EventOf } from '../../runbook/events.js';
import type { OpenedRun } from '../../runbook/state.js';
import { line, person } from './escape.js';
import { message, type Rendered, section } from './message.js';
import { coverWords } from './notes.js';
import { whatNow } from './now.js';
import { sentence } from './words.js';

/** What an approval would cover could not be found out, so nobody is asked. */
export function renderUnprepared(state: OpenedRun, event: EventOf<'GatePreparationFailed'>): Rendered {
  const gate = state.gates.find((g) => g.id === event.gate);
  const asked = gate === undefined ? '' : ` ${person(gate.requestedBy)} asked for it.`;
  const what = `Approval cannot be asked for: ${coverWords(state, event.gate)}.${asked}`;
  const why = `What it would do could not be found out: ${line(sentence(event.reason))} Nothing was started.`;
  return message(`⚠️ Run ${state.run}: ${what} ${why}`, [
    section(`⚠️ *Run ${state.run}:* ${what}\n${why}`),
    section(whatNow(state)),
  ]);
}
