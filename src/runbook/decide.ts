import type { Command } from './command.js';
import type { Decision } from './decide/accept.js';
import { confirmApproval } from './decide/confirm.js';
import { closeGate, openGateWith, react, repostGate, spendGate, unreact } from './decide/gates.js';
import { notBelieved } from './decide/in-the-way.js';
import { openRun } from './decide/open-run.js';
import { assess, finishRun, finishStep, redoStep, startBlock, startStep } from './decide/progress.js';
import {
  close,
  requestNext,
  requestOperation,
  requestRollback,
  requestSkip,
  resume,
  retry,
  stop,
} from './decide/requests.js';
import { refuse } from './refusal.js';
import type { RunState } from './state.js';

/** The answer to a command: events to append (none: nothing to do), or a refusal. */
export type { Decision };

/**
 * Decides one command against the state of a run: the whole policy, pure.
 *
 * Says no by returning a refusal; never throws. A reaction that does not count is not refused but accepted
 * with an event that records it, because people are answered from the journal.
 * @param now ms since the epoch
 */
export function decide(state: RunState, command: Command, now: number): Decision {
  if (command.type === 'OpenRun') return openRun(state, command);
  if (state.kind === 'none') {
    return refuse('no_run', 'There is no run.', 'Open one with `/m10 preflight`.');
  }
  if (state.closed !== null) {
    if (command.type === 'React') return react(state, command, now);
    return refuse('run_closed', `Run ${state.run} is closed.`, 'Open a new one with `/m10 preflight`.');
  }
  const no = state.untrusted === null ? undefined : notBelieved(state, command.type);
  if (no !== undefined) return no;
  switch (command.type) {
    case 'RequestNext':
      return requestNext(state, command);
    case 'RequestOperation':
      return requestOperation(state, command);
    case 'RequestRollback':
      return requestRollback(state, command);
    case 'RequestSkip':
      return requestSkip(state, command);
    case 'Retry':
      return retry(state, command);
    case 'Resume':
      return resume(state, command);
    case 'Stop':
      return stop(state, command);
    case 'Close':
      return close(state, command);
    case 'React':
      return react(state, command, now);
    case 'Unreact':
      return unreact(state, command);
    case 'OpenGate':
      return openGateWith(state, command, now);
    case 'FailGate':
    case 'ExpireGate':
      return closeGate(state, command, now);
    case 'RepostGate':
      return repostGate(state, command);
    case 'SpendGate':
      return spendGate(state, command, now);
    case 'ConfirmApproval':
      return confirmApproval(state, command, now);
    case 'StartBlock':
      return startBlock(state, command, now);
    case 'StartStep':
      return startStep(state, command, now);
    case 'FinishStep':
      return finishStep(state, command);
    case 'RedoStep':
      return redoStep(state, command, now);
    case 'Assess':
      return assess(state, command, now);
    case 'FinishRun':
      return finishRun(state, command, now);
  }
}
