import { standsBeside } from '../beside.js';
import type { CommandOf } from '../command.js';
import { type Block, type BlockRef, findBlock } from '../definition.js';
import type { Cover, RunEvent, Via } from '../events.js';
import { refuse } from '../refusal.js';
import {
  currentBlock,
  hasChanged,
  isChanging,
  nextPhase,
  type OpenedRun,
  openGate,
  runningStep,
  stepProgress,
  troubledSteps,
} from '../state.js';
import { accept, type Decision } from './accept.js';
import {
  afterwards,
  busy,
  gateIsOpen,
  inProgress,
  operatorsOnly,
  pendingGate,
  stoppedRun,
  stopper,
  troubled,
  unknownOperation,
} from './in-the-way.js';

export function requestNext(state: OpenedRun, command: CommandOf<'RequestNext'>): Decision {
  if (!command.operator) return operatorsOnly('ask for the next phase');
  const no = busy(state) ?? pendingGate(state) ?? stoppedRun(state) ?? troubled(state) ?? inProgress(state);
  if (no !== undefined) return no;
  const phase = nextPhase(state);
  if (phase === undefined || state.purpose.kind !== 'runbook') {
    return refuse('nothing_left', `Run ${state.run} has no phase left.`, '`/m10 status` shows its state.');
  }
  const block: BlockRef = { kind: 'phase', id: phase.id };
  return request(state, { kind: 'block', block, from: null, reason: '' }, command.by, command.via);
}

export function requestOperation(state: OpenedRun, command: CommandOf<'RequestOperation'>): Decision {
  if (!command.operator) return operatorsOnly(`ask for ${command.operation}`);
  const block: BlockRef = { kind: 'operation', id: command.operation };
  const found = findBlock(state.runbook, block);
  if (found === undefined) return unknownOperation(state.runbook.operations.map((o) => o.id));
  const trouble = troubledSteps(state)[0];
  const no =
    busy(state) ??
    pendingGate(state) ??
    stoppedRun(state) ??
    (trouble === undefined ? inProgress(state) : undefined);
  if (no !== undefined) return no;
  // The loader refuses an ungated change already; a run that was opened by an older loader is not trusted.
  if (found.gate === 'none' && !found.steps.some((step) => isChanging(state, step))) {
    return accept({ type: 'BlockStarted', block, from: null });
  }
  return request(state, { kind: 'block', block, from: null, reason: '' }, command.by, command.via);
}

export function requestRollback(state: OpenedRun, command: CommandOf<'RequestRollback'>): Decision {
  if (!command.operator) return operatorsOnly('ask for a rollback');
  const running = busy(state);
  if (running !== undefined) return running;
  if (standsBeside(state)) {
    return refuse(
      'nothing_to_roll_back',
      `Run ${state.run} is an operation beside the migration, which has no rollback.`,
      '`/m10 retry` tries it again; `/m10 stop` ends it.',
    );
  }
  if (state.current?.kind === 'rollback') {
    return refuse('step_failed', 'The rollback itself is under way.', 'Use `/m10 retry` to go on with it.');
  }
  if (state.purpose.kind === 'runbook' && !hasChanged(state)) {
    return refuse(
      'nothing_to_roll_back',
      `Run ${state.run} has changed nothing.`,
      'Close it with `/m10 close REASON`.',
    );
  }
  const open = openGate(state);
  if (open?.cover.kind === 'block' && open.cover.block.kind === 'rollback') return gateIsOpen(state, open.id);
  const cover: Cover = {
    kind: 'block',
    block: { kind: 'rollback' },
    from: null,
    reason: command.reason,
  };
  // A rollback outranks what else was asked: that request is withdrawn, in the open.
  return request(state, cover, command.by, command.via, 'a rollback was asked for');
}

export function requestSkip(state: OpenedRun, command: CommandOf<'RequestSkip'>): Decision {
  if (!command.operator) return operatorsOnly('ask to skip a step');
  const no = busy(state) ?? pendingGate(state);
  if (no !== undefined) return no;
  const block = currentBlock(state);
  const { current } = state;
  if (block === undefined || current === null) {
    return refuse(
      'step_not_skippable',
      'No phase is under way, so there is no step to skip.',
      'A step can be skipped once its phase has reached it.',
    );
  }
  if (standsBeside(state)) {
    return refuse(
      'step_not_skippable',
      `Without its step nothing is left of run ${state.run}.`,
      '`/m10 retry` tries it again; `/m10 stop` ends the run.',
    );
  }
  const step = block.steps.find((s) => s.id === command.step);
  if (step === undefined) {
    const ids = block.steps.map((s) => `\`${s.id}\``).join(', ');
    return refuse('unknown_step', `"${block.title}" has no step ${command.step}.`, `Its steps: ${ids}.`);
  }
  const { status } = stepProgress(state, current, step.id);
  if (status === 'passed' || status === 'skipped') {
    return refuse('step_not_skippable', `Step \`${step.id}\` is ${status} already.`, '');
  }
  if (command.reason.trim() === '') {
    return refuse(
      'bad_arguments',
      'A skip needs a reason, for the record.',
      `Say \`/m10 skip ${step.id} REASON\`.`,
    );
  }
  const cover: Cover = { kind: 'skip', block: current, step: step.id, reason: command.reason };
  return request(state, cover, command.by, command.via);
}

export function retry(state: OpenedRun, command: CommandOf<'Retry'>): Decision {
  if (!command.operator) return operatorsOnly('retry a step');
  // A stop does not stand in the way: whoever retries takes the run up again, by the same rules as resume.
  const no = busy(state) ?? pendingGate(state);
  if (no !== undefined) return no;
  const trouble = troubledSteps(state);
  const first = trouble[0];
  const { current } = state;
  const block = currentBlock(state);
  if (first === undefined || current === null || block === undefined) {
    return refuse('nothing_failed', 'No step has failed, so there is nothing to retry.', afterwards(state));
  }
  if (changesRemain(state, current, block, first.id)) {
    // The approval was spent when the phase began. Changing a target again needs a new one.
    const cover: Cover = { kind: 'block', block: current, from: first.id, reason: 'retry' };
    return request(state, cover, command.by, command.via);
  }
  const resumed: RunEvent[] =
    state.stopped === null ? [] : [{ type: 'RunResumed', by: command.by, via: command.via }];
  return accept(
    ...resumed,
    ...trouble.map(
      (step): RunEvent => ({
        type: 'StepRetried',
        block: current,
        step: step.id,
        by: command.by,
        via: command.via,
      }),
    ),
  );
}

export function resume(state: OpenedRun, command: CommandOf<'Resume'>): Decision {
  if (!command.operator) return operatorsOnly('resume a run');
  if (state.stopped === null) {
    return refuse('not_stopped', `Run ${state.run} is not stopped.`, afterwards(state));
  }
  const no = busy(state) ?? pendingGate(state);
  if (no !== undefined) return no;
  const block = currentBlock(state);
  const { current } = state;
  const pending =
    block === undefined || current === null
      ? undefined
      : block.steps.find((s) => stepProgress(state, current, s.id).status === 'pending');
  if (
    block !== undefined &&
    current !== null &&
    pending !== undefined &&
    troubledSteps(state).length === 0 &&
    changesRemain(state, current, block, pending.id)
  ) {
    const cover: Cover = { kind: 'block', block: current, from: pending.id, reason: 'resume' };
    return request(state, cover, command.by, command.via);
  }
  return accept({ type: 'RunResumed', by: command.by, via: command.via });
}

/** Never gated: anyone may stop, at any time. */
export function stop(state: OpenedRun, command: CommandOf<'Stop'>): Decision {
  const running = runningStep(state);
  const gate = openGate(state);
  if (
    state.stopped !== null &&
    gate === undefined &&
    !(command.now && !state.stopped.now && running !== undefined)
  ) {
    return refuse(
      'already_stopped',
      `Run ${state.run} is stopped already, by ${stopper(state.stopped.by)}.`,
      running === undefined
        ? 'An operator may `/m10 resume`, `/m10 rollback` or `/m10 close REASON`.'
        : `Step \`${running.id}\` is finishing. \`/m10 stop now\` ends it.`,
    );
  }
  const events: RunEvent[] = [];
  if (gate !== undefined) {
    events.push({ type: 'GateCancelled', gate: gate.id, by: command.by, why: 'the run was stopped' });
  }
  events.push({
    type: 'StopRequested',
    by: command.by,
    reason: command.reason,
    now: command.now,
    via: command.via,
  });
  return accept(...events);
}

export function close(state: OpenedRun, command: CommandOf<'Close'>): Decision {
  if (!command.operator) return operatorsOnly('close a run');
  const no = busy(state);
  if (no !== undefined) return no;
  if (command.reason.trim() === '') {
    return refuse('bad_arguments', 'Closing a run needs a reason, for the record.', '`/m10 close REASON`.');
  }
  const gate = openGate(state);
  const events: RunEvent[] = [];
  if (gate !== undefined) {
    events.push({ type: 'GateCancelled', gate: gate.id, by: command.by, why: 'the run was closed' });
  }
  events.push({
    type: 'RunClosed',
    by: command.by,
    outcome: 'closed',
    reason: command.reason,
    targets: [...command.targets],
  });
  return accept(...events);
}

/** Whether a change of this block is still to come, counted from a step. */
function changesRemain(state: OpenedRun, ref: BlockRef, block: Block, from: string): boolean {
  if (block.gate === 'none') return false;
  const first = block.steps.findIndex((s) => s.id === from);
  return block.steps
    .slice(first)
    .some((s) => isChanging(state, s) && stepProgress(state, ref, s.id).status !== 'passed');
}

function request(state: OpenedRun, cover: Cover, by: string, via: Via, supersedes?: string): Decision {
  const events: RunEvent[] = [];
  const open = openGate(state);
  if (open !== undefined && supersedes !== undefined) {
    events.push({ type: 'GateCancelled', gate: open.id, by, why: supersedes });
  }
  events.push({ type: 'ApprovalRequested', gate: state.gates.length + 1, cover, by, via });
  return accept(...events);
}
