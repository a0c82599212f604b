import { standsBeside } from '../../runbook/beside.js';
import { describeBlock, describeCover } from '../../runbook/decide/words.js';
import { findBlock, ungatedPrograms } from '../../runbook/definition.js';
import type { EventOf, Purpose } from '../../runbook/events.js';
import { blockProgress, type Gate, isChanging, type OpenedRun } from '../../runbook/state.js';
import { code, line, person, refusalWords } from './escape.js';
import { runTitle } from './now.js';
import { stepTitle } from './step.js';
import { duration, people, plural } from './words.js';

/** Lines for threads: what happened, in one or two sentences. Each is mrkdwn. */

export function runOpenedLine(state: OpenedRun): string {
  if (standsBeside(state)) {
    return `${person(state.requester)} opened run ${state.run}: ${line(runTitle(state))}. What comes of it follows here.`;
  }
  return `${person(state.requester)} opened run ${state.run} of ${code(state.runbook.runbook)} (${purpose(state.purpose)}). Runbook digest ${code(state.digest.slice(0, 12))}. Results follow here.${programs(state)}`;
}

/** Nobody is asked before these run, so everybody is told. */
function programs({ runbook, purpose: of }: OpenedRun): string {
  const covered = of.kind === 'runbook' ? runbook : { ...runbook, phases: [] };
  const ids = ungatedPrograms(covered).map((step) => code(step.id));
  return ids.length === 0 ? '' : ` Starts programs without an approval: ${ids.join(', ')}.`;
}

function purpose(of: Purpose): string {
  switch (of.kind) {
    case 'runbook':
      return 'the whole runbook';
    case 'operation':
      return `the operation ${line(of.id)} alone`;
    case 'rollback':
      return 'the rollback alone';
  }
}

export function approvalGivenLine(state: OpenedRun, event: EventOf<'ApprovalGiven'>): string {
  const gate = state.gates.find((g) => g.id === event.gate);
  const left = Math.max(0, (gate?.needs ?? 1) - (gate?.approvals.length ?? 0));
  const next =
    left === 0 ? 'That is enough: it starts after a last look.' : `${plural(left, 'approval')} missing.`;
  return `${person(event.by)} approved (:${line(event.emoji)}:). ${next}`;
}

export function approvalWithdrawnLine(state: OpenedRun, event: EventOf<'ApprovalWithdrawn'>): string {
  const gate = state.gates.find((g) => g.id === event.gate);
  const left = Math.max(0, (gate?.needs ?? 1) - (gate?.approvals.length ?? 0));
  return `The approval by ${person(event.by)} does not count any more: ${line(event.why)}. ${plural(left, 'approval')} missing.`;
}

/** The person is mentioned, so that the answer reaches them. */
export function reactionRejectedLine(event: EventOf<'ReactionRejected'>): string {
  return `${person(event.by)}, your :${line(event.emoji)}: does not count: ${refusalWords(event.why, event.code)}. It is on the record, and nothing has changed by it.`;
}

/** What the thread of a request says at its end: whoever asked and whoever approved is mentioned. */
export function gateClosedLine(gate: Gate, about: string, why = ''): string | null {
  const what = line(about);
  const given = gate.approvals.map(({ by }) => by);
  const void_ = given.length === 0 ? '' : ` ${people(given)}, your approval is void.`;
  switch (gate.status) {
    case 'refused':
      return `${person(gate.closedBy)} refused: ${what}. Nothing was started. ${person(gate.requestedBy)}, you can ask again.${void_}`;
    case 'expired':
      return `The request has expired: ${what}. Nothing was started. ${person(gate.requestedBy)}, you can ask again.${void_}`;
    case 'voided':
      return `What was to be approved has changed, so the request is void: ${what}. Nothing was started. ${person(gate.requestedBy)}, look at what changed above; then you can ask again.${void_}`;
    case 'cancelled':
      return void_ === ''
        ? null
        : `${person(gate.closedBy)} withdrew the request: ${what}${why === '' ? '' : ` (${line(why)})`}. Nothing was started.${void_}`;
    case 'open':
    case 'preparing':
    case 'not-prepared':
    case 'spent':
      return null;
  }
}

export function stepSkippedLine(state: OpenedRun, event: EventOf<'StepSkipped'>): string {
  const gate = state.gates.find((g) => g.id === event.gate);
  const by = gate === undefined ? '' : ` ${person(gate.requestedBy)} asked for it;`;
  return `– *${line(stepTitle(state, event.block, event.step))}* skipped.${by} request ${event.gate} was approved. Reason: ${line(event.reason)}`;
}

export function stepRetriedLine(state: OpenedRun, event: EventOf<'StepRetried'>): string {
  const title = line(stepTitle(state, event.block, event.step));
  if (event.by !== 'm10bot') return `${person(event.by)} asked to retry *${title}*.`;
  const step = findBlock(state.runbook, event.block)?.steps.find((s) => s.id === event.step);
  // Only a change is probed; a check is simply run again.
  return step !== undefined && isChanging(state, step)
    ? `*${title}* was interrupted; its probe found that it had not changed anything. It runs again under the same approval.`
    : `*${title}* was interrupted. It is a check, so it runs again.`;
}

/** Where the journal's hash chain stood: kept here, outside the database, it shows a journal cut later. */
export interface ChainHead {
  readonly position: number;
  readonly hash: string;
}

export function chainWords(head: ChainHead): string {
  return `Journal position ${head.position}, chain ${code(head.hash)}`;
}

export function blockStartedLine(state: OpenedRun, event: EventOf<'BlockStarted'>, head: ChainHead): string {
  const from = event.from === null ? '' : `, from step ${code(event.from)}`;
  return `▸ Started ${line(describeBlock(state.runbook, event.block))}${from}. ${chainWords(head)}.`;
}

export function blockFinishedWords(state: OpenedRun, event: EventOf<'BlockFinished'>): string {
  const at = blockProgress(state, event.block);
  const took =
    at.startedAt !== null && at.finishedAt !== null ? `, in ${duration(at.finishedAt - at.startedAt)}` : '';
  return `${line(describeBlock(state.runbook, event.block))} is done${took}.`;
}

/** What became of a prompt, in words for its last line. */
export function promptAnswer(
  state: OpenedRun,
  event: EventOf<'StepRetried' | 'StepSkipped' | 'BlockStarted' | 'BlockFinished' | 'RunClosed'>,
): string {
  switch (event.type) {
    case 'StepRetried':
      return `retried, as ${person(event.by)} asked.`;
    case 'StepSkipped':
      return `skipped; request ${event.gate} was approved.`;
    case 'BlockStarted': {
      const gate = state.gates.findLast((g) => g.status === 'spent');
      const by = gate === undefined ? '' : `, as ${person(gate.requestedBy)} asked`;
      return event.block.kind === 'rollback'
        ? `the rollback has started${by}.`
        : `${line(describeBlock(state.runbook, event.block))} has started${by}.`;
    }
    case 'BlockFinished':
      return `${line(describeBlock(state.runbook, event.block))} is done.`;
    case 'RunClosed':
      return `the run was closed by ${person(event.by)}.`;
  }
}

export function coverWords(state: OpenedRun, gate: number): string {
  const found = state.gates.find((g) => g.id === gate);
  return found === undefined ? `request ${gate}` : line(describeCover(state.runbook, found.cover));
}

/**
 * Below the run: why a request stands there a second time.
 * @param given who had approved on the former one
 */
export function gateRepostedLine(
  { gate, lost }: EventOf<'GateReposted'>,
  given: readonly string[] = [],
): string {
  if (lost.startsWith('F'))
    return `A file of request ${gate} was gone, so it is shared again below the request. Until it can be read there, no approval counts.`;
  return `The message of request ${gate} was gone, so it has been posted again. What stood on the old one does not count.${given.length === 0 ? '' : ` ${people(given)}, your approval is void; it takes a new one.`}`;
}
