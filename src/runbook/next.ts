import { standsBeside } from './beside.js';
import { type Block, type BlockRef, findBlock, type Step, targetOf } from './definition.js';
import type { EventOf } from './events.js';
import {
  blockProgress,
  checksGoOn,
  currentBlock,
  type Gate,
  isChanging,
  isTakenBack,
  nextPhase,
  type OpenedRun,
  openGate,
  type RunState,
  runningStep,
  stepProgress,
  troubledSteps,
} from './state.js';

/** What a run wants now. The runner does it, or waits for the people it names. */
export type Next =
  | { readonly kind: 'idle' }
  | { readonly kind: 'prepare_gate'; readonly gate: Gate }
  | { readonly kind: 'expire_gate'; readonly gate: Gate }
  | { readonly kind: 'spend_gate'; readonly gate: Gate }
  | { readonly kind: 'wait_approval'; readonly gate: Gate; readonly until: number }
  | { readonly kind: 'start_block'; readonly block: BlockRef }
  | {
      readonly kind: 'run_step';
      readonly block: BlockRef;
      readonly step: string;
      readonly attempt: number;
      readonly target: string;
    }
  /** A step was started and has no end yet: it runs here, or its runner died. */
  | { readonly kind: 'running'; readonly block: BlockRef; readonly step: string; readonly attempt: number }
  | { readonly kind: 'assess'; readonly block: BlockRef; readonly step: string; readonly attempt: number }
  | { readonly kind: 'ask_human'; readonly block: BlockRef; readonly step: string }
  | { readonly kind: 'stopped' }
  /** Its journal cannot be believed: nothing of it is started, until an operator closes it. */
  | { readonly kind: 'untrusted' }
  | { readonly kind: 'await_next'; readonly phase: string }
  | { readonly kind: 'finish_run'; readonly outcome: EventOf<'RunClosed'>['outcome'] };

/**
 * Says what comes next. Pure: the same events and the same `now` give the same answer on every replica.
 * @param now ms since the epoch; decides only whether a request has expired
 */
export function next(state: RunState, now: number): Next {
  if (state.kind === 'none' || state.closed !== null) return { kind: 'idle' };

  const running = runningStep(state);
  if (running !== undefined && state.current !== null) {
    const { attempt } = stepProgress(state, state.current, running.id);
    return { kind: 'running', block: state.current, step: running.id, attempt };
  }

  if (state.untrusted !== null) return { kind: 'untrusted' };
  const gate = openGate(state);
  if (gate !== undefined) return gateNext(gate, now);
  if (isTakenBack(state)) {
    return { kind: 'finish_run', outcome: 'rolled-back' };
  }
  if (singleBlockNotStarted(state)) return { kind: 'finish_run', outcome: 'closed' };

  const block = currentBlock(state);
  const wanted =
    block !== undefined && state.current !== null
      ? blockNext(state, state.current, block)
      : betweenBlocks(state);
  // Looking at what a failure left is no step: whoever stopped a run is told what is true now.
  if (state.stopped === null || wanted.kind === 'assess') return wanted;
  if (!standsBeside(state)) return { kind: 'stopped' };
  // An operation is asked for anew; stopped, it would only keep the next one out.
  return wanted.kind === 'finish_run' ? wanted : { kind: 'finish_run', outcome: 'closed' };
}

function gateNext(gate: Gate, now: number): Next {
  if (gate.status === 'preparing' || gate.expiresAt === null) return { kind: 'prepare_gate', gate };
  if (now >= gate.expiresAt) return { kind: 'expire_gate', gate };
  if (gate.approvals.length >= gate.needs) return { kind: 'spend_gate', gate };
  return { kind: 'wait_approval', gate, until: gate.expiresAt };
}

function blockNext(state: OpenedRun, ref: BlockRef, block: Block): Next {
  const pending = block.steps.find((s) => stepProgress(state, ref, s.id).status === 'pending');
  const trouble = troubledSteps(state);
  const [troubled] = trouble;
  if (troubled !== undefined && (pending === undefined || !mayStill(state, block, trouble, pending))) {
    const { attempt } = stepProgress(state, ref, troubled.id);
    const assessed = state.assessment?.step === troubled.id && state.assessment.attempt === attempt;
    return assessed
      ? { kind: 'ask_human', block: ref, step: troubled.id }
      : { kind: 'assess', block: ref, step: troubled.id, attempt };
  }
  if (pending === undefined) return { kind: 'idle' };
  const { attempt } = stepProgress(state, ref, pending.id);
  return {
    kind: 'run_step',
    block: ref,
    step: pending.id,
    attempt: attempt + 1,
    target: targetOf(state.runbook, block, pending),
  };
}

/** After a failure: checks that are not behind a change that was not made; never a change. */
function mayStill(state: OpenedRun, block: Block, trouble: readonly Step[], pending: Step): boolean {
  return !isChanging(state, pending) && trouble.every((failed) => checksGoOn(state, block, failed));
}

/**
 * A run for one operation, or for a rollback alone, whose request came to nothing holds targets for no
 * reason: it closes by itself.
 */
function singleBlockNotStarted(state: OpenedRun): boolean {
  const { purpose } = state;
  if (purpose.kind === 'runbook' || state.current !== null) return false;
  const ref: BlockRef = purpose.kind === 'rollback' ? { kind: 'rollback' } : purpose;
  const block = findBlock(state.runbook, ref);
  const ungated = block?.gate === 'none' && state.stopped === null;
  return blockProgress(state, ref).status === 'pending' && !ungated;
}

function betweenBlocks(state: OpenedRun): Next {
  const { purpose } = state;
  if (purpose.kind === 'operation') {
    return blockProgress(state, purpose).status === 'done'
      ? { kind: 'finish_run', outcome: 'operation-done' }
      : { kind: 'start_block', block: purpose };
  }
  if (purpose.kind === 'rollback') return { kind: 'idle' };
  const phase = nextPhase(state);
  if (phase === undefined) return { kind: 'finish_run', outcome: 'verified' };
  if (phase.gate === 'none') return { kind: 'start_block', block: { kind: 'phase', id: phase.id } };
  return { kind: 'await_next', phase: phase.id };
}
