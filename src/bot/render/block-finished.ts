import { findBlock } from '../../runbook/definition.js';
import type { EventOf } from '../../runbook/events.js';
import type { OpenedRun } from '../../runbook/state.js';
import { doneWithout } from './exceptions.js';
import { context, message, type Rendered, section } from './message.js';
import { blockFinishedWords, type ChainHead, chainWords } from './notes.js';
import { tally, whatNow } from './now.js';

/** A phase is done: what came out, what comes next, and where the journal stands. */
export function renderBlockFinished(
  state: OpenedRun,
  event: EventOf<'BlockFinished'>,
  head: ChainHead,
): Rendered {
  const block = findBlock(state.runbook, event.block);
  const steps = block === undefined ? '' : ` Steps: ${tally(state, { ref: event.block, block })}.`;
  const what = `${blockFinishedWords(state, event)}${doneWithout(state, event.block)}${steps}`;
  return message(
    `Run ${state.run}: ${what} ${whatNow(state)}`,
    [section(`*Run ${state.run}:* ${what}\n${whatNow(state)}`)],
    [context(chainWords(head))],
  );
}
