import { type BlockRef, blockKey, findBlock } from './definition.js';
import type { EventOf, RunEvent } from './events.js';
import { blockHasChanges, type Gate, gateById, isChanging, type OpenedRun, stepProgress } from './state.js';

/**
 * Why an event cannot follow from the decisions of this bot, in words; null when nothing speaks against it.
 *
 * Whoever can write to the state database can append any event. A run is only as good as its approvals, so what
 * starts or leaves out something is held against what must stand before it. Older journals pass: the rules here
 * are those that every release decided by. What depends on a clock is left out, since the times in the journal
 * are the database's and earlier releases decided by a replica's.
 */
export function doubtOf(state: OpenedRun, event: RunEvent): string | null {
  switch (event.type) {
    case 'RunOpened':
      return `run ${state.run} was opened a second time`;
    case 'ApprovalRequested':
      return gateById(state, event.gate) === undefined
        ? null
        : `request ${event.gate} was made a second time`;
    case 'GateOpened':
      return gateById(state, event.gate)?.status === 'preparing'
        ? null
        : `request ${event.gate} was opened without being asked for, or a second time`;
    case 'ApprovalGiven':
      return doubtOfApproval(gateById(state, event.gate), event);
    case 'GateSpent':
      return doubtOfSpend(state, event);
    case 'BlockStarted':
      return doubtOfStart(state, event);
    case 'StepStarted':
      return doubtOfStep(state, event);
    case 'StepSkipped':
      return doubtOfSkip(state, event);
    case 'StepRetried':
      return doubtOfRetry(state, event);
    case 'RunResumed':
      return doubtOfResume(state);
    case 'GatePreparationFailed':
    case 'ApprovalWithdrawn':
    case 'LookupFailed':
    case 'ReactionRejected':
    case 'GateReposted':
    case 'GateRefused':
    case 'GateExpired':
    case 'GateCancelled':
    case 'GateVoided':
    case 'ApprovalNotConfirmed':
    case 'StepFinished':
    case 'FailureAssessed':
    case 'StopRequested':
    case 'BlockFinished':
    case 'CommandRefused':
    case 'PlanShown':
    case 'JournalMismatch':
    case 'RunClosed':
      return null;
  }
}

/** How many approvals a request needs: what was asked for when it opened, and never less than the runbook says. */
export function approvalsNeeded(state: OpenedRun, gate: Gate): number {
  const policy = findBlock(state.runbook, gate.cover.block)?.gate ?? 'none';
  return Math.max(gate.needs, policy === 'none' ? 1 : policy.approvals);
}

function doubtOfApproval(gate: Gate | undefined, event: EventOf<'ApprovalGiven'>): string | null {
  if (gate?.status !== 'open') return `request ${event.gate} was approved while it was not open`;
  return gate.requestedBy === event.by ? `request ${event.gate} was approved by who asked for it` : null;
}

function doubtOfSpend(state: OpenedRun, event: EventOf<'GateSpent'>): string | null {
  const gate = gateById(state, event.gate);
  const name = `request ${event.gate}`;
  if (gate === undefined) return `${name} was spent and never made`;
  if (gate.status !== 'open') return `${name} was spent while it was ${gate.status}`;
  if (gate.fingerprint === null || gate.fingerprint.digest !== event.digest) {
    return `${name} was spent for something else than it asked for`;
  }
  const people = new Set(event.approvers);
  if (people.has(gate.requestedBy)) return `${name} was spent with the approval of who asked for it`;
  const given = [...people].filter((user) => gate.approvals.some((a) => a.by === user));
  if (given.length < people.size) return `${name} was spent with an approval that nobody has given`;
  const needed = approvalsNeeded(state, gate);
  return given.length < needed ? `${name} was spent with ${given.length} of ${needed} approvals` : null;
}

/** A gated block starts right behind its spent approval, once. */
function doubtOfStart(state: OpenedRun, event: EventOf<'BlockStarted'>): string | null {
  const block = findBlock(state.runbook, event.block);
  if (block === undefined) return 'a phase was started that the runbook does not have';
  if (block.gate === 'none' && !blockHasChanges(state, block)) return null;
  const gate = state.unusedApproval === null ? undefined : gateById(state, state.unusedApproval);
  const covered =
    gate?.cover.kind === 'block' &&
    sameBlock(gate.cover.block, event.block) &&
    gate.cover.from === event.from;
  return covered ? null : `"${block.title}" was started without an approval`;
}

function doubtOfStep(state: OpenedRun, event: EventOf<'StepStarted'>): string | null {
  const under = state.current !== null && sameBlock(state.current, event.block);
  const pending = stepProgress(state, event.block, event.step).status === 'pending';
  return under && pending ? null : `step ${event.step} was started out of turn`;
}

function doubtOfSkip(state: OpenedRun, event: EventOf<'StepSkipped'>): string | null {
  const gate = state.unusedApproval === event.gate ? gateById(state, event.gate) : undefined;
  const covered =
    gate?.cover.kind === 'skip' && sameBlock(gate.cover.block, event.block) && gate.cover.step === event.step;
  return covered ? null : `step ${event.step} was skipped without an approval`;
}

/** A change runs again under a new approval alone; the bot itself repeats one that was interrupted. */
function doubtOfRetry(state: OpenedRun, event: EventOf<'StepRetried'>): string | null {
  const block = findBlock(state.runbook, event.block);
  const step = block?.steps.find((s) => s.id === event.step);
  if (step === undefined || !isChanging(state, step)) return null;
  const { status } = stepProgress(state, event.block, event.step);
  return status === 'running'
    ? null
    : `step ${event.step}, a change, was set to run again without an approval`;
}

/** A stopped block goes on into a change under a new approval alone, unless a failure holds it anyway. */
function doubtOfResume(state: OpenedRun): string | null {
  const { current } = state;
  const block = current === null ? undefined : findBlock(state.runbook, current);
  if (state.stopped === null || current === null || block === undefined) return null;
  const statuses = block.steps.map((step) => ({
    step,
    status: stepProgress(state, current, step.id).status,
  }));
  if (statuses.some(({ status }) => status === 'failed' || status === 'unknown')) return null;
  const changes = statuses.some(({ step, status }) => status === 'pending' && isChanging(state, step));
  return changes ? `run ${state.run} was resumed into a change without an approval` : null;
}

function sameBlock(a: BlockRef, b: BlockRef): boolean {
  return blockKey(a) === blockKey(b);
}
