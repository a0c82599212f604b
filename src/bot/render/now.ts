import { standsBeside } from '../../runbook/beside.js';
import { describeCover } from '../../runbook/decide/words.js';
import { type Block, type BlockRef, findBlock } from '../../runbook/definition.js';
import {
  blockProgress,
  currentBlock,
  hasChanged,
  isTakenBack,
  nextPhase,
  type OpenedRun,
  openGate,
  phasesOf,
  runningStep,
  stepProgress,
  troubledSteps,
} from '../../runbook/state.js';
import { code, line, person } from './escape.js';
import { untrustedNow } from './untrusted.js';
import { moment, people, plural } from './words.js';

/** What a run waits for, and who can do what about it now, in a sentence or two. */
export function whatNow(state: OpenedRun): string {
  if (state.closed !== null) {
    const again = standsBeside(state) ? '' : ` ${code('/m10 preflight')} opens a new one.`;
    return `Run ${state.run} is closed.${again}`;
  }
  const running = runningStep(state);
  if (running !== undefined) {
    if (state.stopped?.now === true) return `Stopped: ${code(running.id)} is being ended.`;
    return state.stopped === null
      ? `${code(running.id)} is running. Anyone may ${code('/m10 stop')} the run before its next step.`
      : `Stopped: ${code(running.id)} is still finishing. ${code('/m10 stop now')} ends it.`;
  }
  if (state.untrusted !== null) return untrustedNow(state);
  const gate = openGate(state);
  if (gate?.status === 'preparing') {
    return `What ${line(describeCover(state.runbook, gate.cover))} would do is being looked up; the request for approval follows.`;
  }
  if (gate !== undefined) {
    const missing = Math.max(0, gate.needs - gate.approvals.length);
    if (missing === 0 && gate.waits !== null) {
      return `Approved, and not started: ${line(gate.waits.why)}. It is queried again automatically; no approval is lost.`;
    }
    if (missing === 0) return 'Approved; it starts after a last look.';
    const who = people(gate.eligible.filter((id) => id !== gate.requestedBy));
    const until = gate.expiresAt === null ? '' : ` until ${moment(gate.expiresAt)}`;
    return `${plural(missing, 'approval')} missing for ${line(describeCover(state.runbook, gate.cover))}: ${who} may react on request ${gate.id}${until}.`;
  }
  if (standsBeside(state)) return besideNow(state);
  if (isTakenBack(state)) return 'The rollback is done; the run closes by itself.';
  if (state.stopped !== null) {
    return `Nothing runs. An operator may ${code('/m10 resume')}${rollbackChoice(state)} or ${code('/m10 close REASON')}.`;
  }
  const trouble = troubledSteps(state)[0];
  if (trouble !== undefined) {
    const skip = `/m10 skip ${trouble.id} REASON`;
    return `${code(trouble.id)} did not pass. An operator may ${code('/m10 retry')}, ${code(skip)}${rollbackChoice(state)} or ${code('/m10 close REASON')}; anyone may ${code('/m10 stop')}.`;
  }
  const block = currentBlock(state);
  if (block !== undefined) return `*${line(block.title)}* is under way. Anyone may ${code('/m10 stop')}.`;
  const phase = nextPhase(state);
  if (phase !== undefined) {
    return phase.gate === 'none'
      ? `*${line(phase.title)}* starts by itself.`
      : `Next: *${line(phase.title)}*. An operator asks for it with ${code('/m10 next')}; ${plural(phase.gate.approvals, 'person', 'people')} other than the one who asks must approve.`;
  }
  return 'Nothing is left to do; the run closes by itself.';
}

/** The same for an operation beside the migration: commands mean the migration's run first, so buttons are named. */
function besideNow(state: OpenedRun): string {
  const trouble = troubledSteps(state)[0];
  if (state.stopped === null && trouble !== undefined) {
    return `${code(trouble.id)} did not pass. On its message an operator may retry it, and anyone may stop it, which ends this run.`;
  }
  return 'Nothing is left to do; the run closes by itself.';
}

/** Whether a rollback can be asked for: something was changed, and it is not the rollback that did not pass. */
export function offersRollback(state: OpenedRun): boolean {
  return !standsBeside(state) && hasChanged(state) && state.current?.kind !== 'rollback';
}

function rollbackChoice(state: OpenedRun): string {
  return offersRollback(state) ? `, ${code('/m10 rollback REASON')}` : '';
}

/** What is safe to assume about the targets right after a stop. */
export function safeNow(state: OpenedRun): string {
  const running = runningStep(state);
  if (running !== undefined) {
    return state.stopped?.now === true
      ? `${code(running.id)} is being ended; its target is looked at before its result is told. Nothing else starts.`
      : `${code(running.id)} is running and will finish; no step starts after it. ${code('/m10 stop now')} ends it too.`;
  }
  if (standsBeside(state)) return 'No step is running and none will start. The run closes.';
  return hasChanged(state)
    ? 'No step is running and none will start. What finished before stays as it is.'
    : 'No step is running and none will start. This run has changed nothing.';
}

export interface ListedBlock {
  readonly ref: BlockRef;
  readonly block: Block;
}

/** The blocks of a run in the order people read them: phases, then operations and the rollback once used. */
export function listedBlocks(state: OpenedRun): ListedBlock[] {
  const phases = phasesOf(state).map(
    (block): ListedBlock => ({ ref: { kind: 'phase', id: block.id }, block }),
  );
  const operations = state.runbook.operations
    .map((block): ListedBlock => ({ ref: { kind: 'operation', id: block.id }, block }))
    .filter(({ ref }) => used(state, ref) || isPurpose(state, ref));
  const ref: BlockRef = { kind: 'rollback' };
  const rollback: ListedBlock[] =
    used(state, ref) || isPurpose(state, ref) ? [{ ref, block: state.runbook.rollback }] : [];
  return [...phases, ...operations, ...rollback];
}

const used = (state: OpenedRun, ref: BlockRef) => blockProgress(state, ref).status !== 'pending';

function isPurpose({ purpose }: OpenedRun, ref: BlockRef): boolean {
  if (purpose.kind === 'operation') return ref.kind === 'operation' && ref.id === purpose.id;
  return purpose.kind === ref.kind;
}

/** How the steps of a block ended so far. */
export function tally(state: OpenedRun, { ref, block }: ListedBlock): string {
  const counts = new Map<string, number>();
  for (const step of block.steps) {
    const { status } = stepProgress(state, ref, step.id);
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  return [...counts].map(([status, count]) => `${count} ${status}`).join(', ');
}

/** The title of a run: its runbook's, its operation's, or the rollback's. */
export function runTitle(state: OpenedRun): string {
  const { purpose } = state;
  if (purpose.kind === 'runbook') return state.runbook.title;
  return findBlock(state.runbook, purpose)?.title ?? state.runbook.title;
}

/** Who opened a run and when. */
export function openedBy(state: OpenedRun): string {
  return `Opened by ${person(state.requester)} on ${moment(state.openedAt)}`;
}
