import type { CommandOf } from '../command.js';
import { type BlockRef, blockKey, findBlock, targetOf } from '../definition.js';
import type { RunEvent } from '../events.js';
import { next } from '../next.js';
import { refuse } from '../refusal.js';
import {
  approvalOf,
  currentBlock,
  isChanging,
  type OpenedRun,
  stepProgress,
  troubledSteps,
} from '../state.js';
import { accept, type Decision } from './accept.js';

/** Starts a block that needs no gate; gated ones start by their spent approval alone. */
export function startBlock(state: OpenedRun, command: CommandOf<'StartBlock'>, now: number): Decision {
  const wanted = next(state, now);
  if (wanted.kind !== 'start_block' || blockKey(wanted.block) !== blockKey(command.block)) {
    return stale('That block is not the next one.');
  }
  const block = findBlock(state.runbook, command.block);
  if (block === undefined || block.gate !== 'none' || block.steps.some((s) => isChanging(state, s))) {
    return refuse('stale', 'A block that changes something starts by approval alone.');
  }
  return accept({ type: 'BlockStarted', block: command.block, from: null });
}

export function startStep(state: OpenedRun, command: CommandOf<'StartStep'>, now: number): Decision {
  const wanted = next(state, now);
  if (
    wanted.kind !== 'run_step' ||
    wanted.step !== command.step ||
    wanted.attempt !== command.attempt ||
    blockKey(wanted.block) !== blockKey(command.block)
  ) {
    return stale('That step is not the next one.');
  }
  const block = currentBlock(state);
  const step = block?.steps.find((s) => s.id === command.step);
  if (block === undefined || step === undefined) return stale('That step is not in the runbook.');
  return accept({
    type: 'StepStarted',
    block: command.block,
    step: step.id,
    attempt: command.attempt,
    target: targetOf(state.runbook, block, step),
    ...(command.where === undefined ? {} : { where: command.where }),
  });
}

export function finishStep(state: OpenedRun, command: CommandOf<'FinishStep'>): Decision {
  const { type: _, executed, notes, ...fields } = command;
  if (!isRunning(state, command)) return stale('That step is not running.');
  const finished: RunEvent = {
    type: 'StepFinished',
    ...fields,
    ...(executed === undefined ? {} : { executed }),
    ...(notes === undefined || notes.length === 0 ? {} : { notes: [...notes] }),
  };
  const events: RunEvent[] = [finished];
  if (command.result === 'passed' && blockDone(state, command.block, command.step)) {
    events.push({ type: 'BlockFinished', block: command.block });
  }
  return accept(...events);
}

/**
 * An interrupted step that did not happen is run again under the approval that started its block, as long
 * as that approval would still be alive; a bot that comes back hours later asks people first.
 */
export function redoStep(state: OpenedRun, command: CommandOf<'RedoStep'>, now: number): Decision {
  if (!isRunning(state, command)) return stale('That step is not running.');
  const block = currentBlock(state);
  const step = block?.steps.find((s) => s.id === command.step);
  const gate = approvalOf(state, command.block);
  const lapsed = gate?.expiresAt !== null && gate?.expiresAt !== undefined && now >= gate.expiresAt;
  const needsApproval = step !== undefined && isChanging(state, step) && (gate === undefined || lapsed);
  if (needsApproval || state.untrusted !== null) {
    const why = state.untrusted === null ? 'its approval has expired meanwhile' : 'its run is untrusted';
    return accept({
      type: 'StepFinished',
      block: command.block,
      step: command.step,
      attempt: command.attempt,
      result: 'failed',
      summary: `interrupted before it changed anything; ${why}`,
      output: '',
      outputFile: null,
      data: {},
      durationMs: 0,
      recovered: true,
    });
  }
  return accept({
    type: 'StepRetried',
    block: command.block,
    step: command.step,
    by: 'm10bot',
    via: 'reconciled',
  });
}

export function assess(state: OpenedRun, command: CommandOf<'Assess'>, now: number): Decision {
  const wanted = next(state, now);
  if (wanted.kind !== 'assess' || wanted.step !== command.step || wanted.attempt !== command.attempt) {
    return stale('Nothing waits for that assessment.');
  }
  const others = troubledSteps(state)
    .filter((s) => s.id !== command.step)
    .map((s) => ({ step: s.id, attempt: stepProgress(state, command.block, s.id).attempt }));
  return accept({
    type: 'FailureAssessed',
    block: command.block,
    step: command.step,
    attempt: command.attempt,
    ...(others.length === 0 ? {} : { others }),
    targets: [...command.targets],
    loss: [...command.loss],
    notes: [...command.notes],
  });
}

export function finishRun(state: OpenedRun, command: CommandOf<'FinishRun'>, now: number): Decision {
  const wanted = next(state, now);
  if (wanted.kind !== 'finish_run') return stale('The run is not at its end.');
  return accept({
    type: 'RunClosed',
    by: 'm10bot',
    outcome: wanted.outcome,
    reason: '',
    targets: [...command.targets],
  });
}

/** Whether every step of a block but this one has passed or was skipped. */
export function blockDone(state: OpenedRun, ref: BlockRef, except: string): boolean {
  const block = findBlock(state.runbook, ref);
  return (
    block?.steps.every((s) => {
      const { status } = stepProgress(state, ref, s.id);
      return s.id === except || status === 'passed' || status === 'skipped';
    }) ?? false
  );
}

function isRunning(state: OpenedRun, at: { block: BlockRef; step: string; attempt: number }): boolean {
  const progress = stepProgress(state, at.block, at.step);
  return progress.status === 'running' && progress.attempt === at.attempt;
}

function stale(why: string): Decision {
  return refuse('stale', why);
}
