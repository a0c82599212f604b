import type { Plan } from '../../runbook/events.js';
import { gateMessageKey } from '../../runbook/people.js';
import type { OpenedRun } from '../../runbook/state.js';
import { planFiles } from '../render/gate.js';
import {
  approvalGivenLine,
  approvalWithdrawnLine,
  blockStartedLine,
  runOpenedLine,
  stepRetriedLine,
  stepSkippedLine,
} from '../render/notes.js';
import { outputFilename, outputIsLonger, type Piece, renderStep } from '../render/step.js';
import type { SeenEvent } from './folding.js';
import { cardKey, eventKey, stepMessageKey } from './keys.js';
import { type FileOperation, fileOperation, type ThreadWork } from './operation.js';
import { originOf } from './urgent.js';

/** Reads a step's whole output; null when it is not there any more. */
export type ReadOutput = (path: string) => Promise<string | null>;

/** What a request or a plan attaches: the SQL, and the commands where the message cuts them. */
export function planAttachments(seen: SeenEvent): FileOperation[] {
  const { event, stored, channel, run } = seen;
  const origin = originOf(seen);
  const files = (parent: string, prefix: string, plan: Plan) =>
    planFiles(plan, prefix).map((file) => fileOperation({ key: parent, channel, parent, origin }, file));
  if (event.type === 'PlanShown') {
    const prefix = `plan-${stored.stream.replace(/[^a-zA-Z0-9]+/g, '-')}-${stored.version}`;
    return files(eventKey(stored.stream, 'plan', stored.version), prefix, event.plan);
  }
  if (event.type !== 'GateOpened' || run === null) return [];
  return files(gateMessageKey(run, event.gate), `run-${run}-request-${event.gate}`, event.plan);
}

/** What can be read later, in the threads: results with their output, approvals one by one. */
export function threadWork(seen: SeenEvent, readOutput: ReadOutput): ThreadWork | null {
  const { event, after, stored, run } = seen;
  const { channel } = seen;
  const origin = originOf(seen);
  const piece = (line: string): Piece => ({ line, blocks: [] });
  if (after.kind === 'none' || run === null) return null;
  const inRun = {
    key: eventKey(stored.stream, 'thread', stored.version),
    channel,
    parent: cardKey(run),
    files: [],
    origin,
  };
  switch (event.type) {
    case 'RunOpened':
      return { ...inRun, piece: piece(runOpenedLine(after)) };
    case 'BlockStarted':
      return { ...inRun, piece: piece(blockStartedLine(after, event, stored)) };
    case 'StepFinished':
      return stepWork(seen, after, readOutput);
    case 'StepSkipped':
      return { ...inRun, piece: piece(stepSkippedLine(after, event)) };
    case 'StepRetried':
      return { ...inRun, piece: piece(stepRetriedLine(after, event)) };
    case 'ApprovalGiven':
      return {
        ...inRun,
        parent: gateMessageKey(run, event.gate),
        piece: piece(approvalGivenLine(after, event)),
      };
    case 'ApprovalWithdrawn':
      return {
        ...inRun,
        parent: gateMessageKey(run, event.gate),
        piece: piece(approvalWithdrawnLine(after, event)),
      };
    case 'GateOpened':
    case 'PlanShown':
    case 'ApprovalRequested':
    case 'GatePreparationFailed':
    case 'ReactionRejected':
    case 'GateRefused':
    case 'GateExpired':
    case 'GateCancelled':
    case 'GateVoided':
    case 'GateSpent':
    case 'StepStarted':
    case 'FailureAssessed':
    case 'StopRequested':
    case 'RunResumed':
    case 'BlockFinished':
    case 'CommandRefused':
    case 'RunClosed':
      return null;
  }
}

function stepWork(seen: SeenEvent, state: OpenedRun, readOutput: ReadOutput): ThreadWork | null {
  const { event, channel } = seen;
  if (event.type !== 'StepFinished') return null;
  const key = stepMessageKey(state.run, event);
  const base = { key, channel, parent: cardKey(state.run), origin: originOf(seen) };
  const { outputFile, output } = event;
  const filename = outputFilename(state.run, event);
  const whole = async () => (outputFile === null ? output : ((await readOutput(outputFile)) ?? output));
  const title = `Output of ${event.step}, attempt ${event.attempt}`;
  const file = { ...base, key: `${key}:file`, filename, title, content: whole };
  return { ...base, piece: renderStep(state, event), files: outputIsLonger(event) ? [file] : [] };
}
