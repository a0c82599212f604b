import type { Step } from '../runbook/definition.js';
import type { OpenedRun } from '../runbook/state.js';

/**
 * Why a step that outlived the bot is ended now; null while it may go on. The same two causes end a step that
 * the bot itself runs: somebody said `stop now`, or its time is over.
 * @param startedAt ms since the epoch
 */
export function reasonToEnd(state: OpenedRun, step: Step, startedAt: number, now: number): string | null {
  if (state.stopped?.now === true) return 'it was ended, since the run was stopped with the running step';
  if (now - startedAt < step.timeout) return null;
  return `it was ended, since its time of ${Math.round(step.timeout / 1_000)} s was over`;
}
