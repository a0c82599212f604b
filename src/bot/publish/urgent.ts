import { standsBeside } from '../../runbook/beside.js';
import type { EventOf } from '../../runbook/events.js';
import { gateMessageKey } from '../../runbook/people.js';
import { gateById, type OpenedRun } from '../../runbook/state.js';
import { renderBlockFinished } from '../render/block-finished.js';
import { renderCard } from '../render/card.js';
import { renderClosed } from '../render/closed.js';
import { type GateEnd, renderGate } from '../render/gate.js';
import { renderJournalMismatch } from '../render/journal-mismatch.js';
import { message, type Rendered, section } from '../render/message.js';
import { coverWords, gateClosedLine, promptAnswer, reactionRejectedLine } from '../render/notes.js';
import { renderPlanShown } from '../render/plan-shown.js';
import { renderPrompt } from '../render/prompt.js';
import { renderRefused } from '../render/refused.js';
import { renderResumed } from '../render/resumed.js';
import { renderStopped } from '../render/stopped.js';
import { renderUnconfirmed } from '../render/unconfirmed.js';
import { renderUnprepared } from '../render/unprepared.js';
import { renderUntrusted } from '../render/untrusted.js';
import type { SeenEvent } from './folding.js';
import { cardKey, closedKey, eventKey, promptKey } from './keys.js';
import type { MessageOperation, Origin } from './operation.js';

/** What people wait for: requests, prompts, refusals, stops, ends. In the order of the journal. */
export function urgentOperations(seen: SeenEvent): MessageOperation[] {
  const { event, after } = seen;
  if (event.type === 'CommandRefused') return [once(seen, 'refused', renderRefused(event))];
  if (event.type === 'PlanShown') return [once(seen, 'plan', renderPlanShown(event))];
  if (event.type === 'JournalMismatch') return [once(seen, 'mismatch', renderJournalMismatch(event))];
  return after.kind === 'none'
    ? []
    : [...ofRun(seen, after), ...answeredPrompt(seen, after), ...distrusted(seen, after)];
}

/** The first event of a run that cannot be believed is told in the channel, not on the card alone. */
function distrusted(seen: SeenEvent, state: OpenedRun): MessageOperation[] {
  const before = seen.before.kind === 'none' ? null : seen.before.untrusted;
  if (before !== null || state.untrusted === null) return [];
  return [once(seen, 'untrusted', renderUntrusted(state, state.untrusted))];
}

function ofRun(seen: SeenEvent, state: OpenedRun): MessageOperation[] {
  const { event, stored, channel } = seen;
  const { run } = state;
  const at = { channel, origin: originOf(seen) };
  const head = { position: stored.position, hash: stored.hash };
  switch (event.type) {
    case 'RunOpened':
      return [{ ...at, key: cardKey(run), message: renderCard(state), mode: 'current' }];
    case 'GatePreparationFailed':
      return [once(seen, 'unprepared', renderUnprepared(state, event))];
    case 'GateOpened':
    case 'ApprovalGiven':
    case 'ApprovalWithdrawn':
    case 'LookupFailed':
    case 'GateSpent':
    case 'GateReposted':
      return gate(seen, state, event.gate);
    case 'GateCancelled':
      // A request that was withdrawn before it was asked has no message.
      return [
        ...gate(seen, state, event.gate, { why: event.why }),
        ...gateClosed(seen, state, event.gate, event.why),
      ];
    case 'GateRefused':
    case 'GateExpired':
      return [...gate(seen, state, event.gate), ...gateClosed(seen, state, event.gate)];
    case 'GateVoided':
      return [...gate(seen, state, event.gate, { diff: event.diff }), ...gateClosed(seen, state, event.gate)];
    case 'ReactionRejected':
      return [
        {
          ...once(seen, 'rejected', paragraph(reactionRejectedLine(event))),
          parent: gateMessageKey(run, event.gate),
        },
      ];
    case 'FailureAssessed': {
      const failed = seen.failure(event.block, event.step, event.attempt);
      const prompt = renderPrompt({ state, assessed: event, failed });
      return [{ ...at, key: promptKey(run, event), message: prompt, mode: 'current' }];
    }
    case 'ApprovalNotConfirmed':
      return [once(seen, 'unconfirmed', renderUnconfirmed(state, event))];
    case 'StopRequested':
      return [once(seen, 'stopped', renderStopped(state, event))];
    case 'RunResumed':
      return [once(seen, 'resumed', renderResumed(state, event))];
    case 'BlockFinished':
      // The end of its run says it, right after.
      return standsBeside(state) ? [] : [once(seen, 'finished', renderBlockFinished(state, event, head))];
    case 'RunClosed':
      return [{ ...at, key: closedKey(run), message: renderClosed(state, event, head), mode: 'once' }];
    case 'ApprovalRequested':
    case 'BlockStarted':
    case 'StepStarted':
    case 'StepFinished':
    case 'StepSkipped':
    case 'StepRetried':
    case 'CommandRefused':
    case 'PlanShown':
    case 'JournalMismatch':
      return [];
  }
}

function gate(seen: SeenEvent, state: OpenedRun, id: number, end: GateEnd = {}): MessageOperation[] {
  const found = gateById(state, id);
  if (found === undefined || found.fingerprint === null) return [];
  return [
    {
      key: gateMessageKey(state.run, id),
      channel: seen.channel,
      message: renderGate(state, found, end),
      mode: 'current',
      origin: originOf(seen),
    },
  ];
}

/** An updated message notifies nobody: the end of a request is also said below it, for the channel to see. */
function gateClosed(seen: SeenEvent, state: OpenedRun, id: number, why = ''): MessageOperation[] {
  const found = gateById(state, id);
  const line = found === undefined ? null : gateClosedLine(found, coverWords(state, id), why);
  if (line === null) return [];
  return [
    { ...once(seen, 'gate-closed', paragraph(line)), parent: gateMessageKey(state.run, id), broadcast: true },
  ];
}

/** A prompt that was answered loses its buttons. */
function answeredPrompt(seen: SeenEvent, state: OpenedRun): MessageOperation[] {
  const { event, before } = seen;
  if (before.kind === 'none' || before.assessment === null || before.current === null) return [];
  if (!answers(event)) return [];
  if (event.type === 'StepSkipped' && event.step !== before.assessment.step) return [];
  const assessed: EventOf<'FailureAssessed'> = {
    type: 'FailureAssessed',
    block: before.current,
    step: before.assessment.step,
    attempt: before.assessment.attempt,
    targets: [...before.assessment.targets],
    loss: [...before.assessment.loss],
    notes: [...before.assessment.notes],
  };
  const failed = seen.failure(assessed.block, assessed.step, assessed.attempt);
  const answer = promptAnswer(state, event);
  return [
    {
      key: promptKey(state.run, assessed),
      channel: seen.channel,
      message: renderPrompt({ state: before, assessed, failed, answer }),
      mode: 'current',
      origin: originOf(seen),
    },
  ];
}

type Answer = EventOf<'StepRetried' | 'StepSkipped' | 'BlockStarted' | 'BlockFinished' | 'RunClosed'>;

function answers(event: SeenEvent['event']): event is Answer {
  return ['StepRetried', 'StepSkipped', 'BlockStarted', 'BlockFinished', 'RunClosed'].includes(event.type);
}

function once(seen: SeenEvent, what: string, rendered: Rendered): MessageOperation {
  const { stream, version } = seen.stored;
  return {
    key: eventKey(stream, what, version),
    channel: seen.channel,
    message: rendered,
    mode: 'once',
    origin: originOf(seen),
  };
}

function paragraph(text: string): Rendered {
  return message(text, [section(text)]);
}

export function originOf({ stored }: Pick<SeenEvent, 'stored'>): Origin {
  const { stream, version, position } = stored;
  return { stream, version, position, through: position, at: Date.parse(stored.at) };
}
