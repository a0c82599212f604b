import type { Plan } from '../../runbook/events.js';
import { gateMessageKey } from '../../runbook/people.js';
import { gateById } from '../../runbook/state.js';
import {
  approvalGivenLine,
  approvalWithdrawnLine,
  blockStartedLine,
  gateRepostedLine,
  runOpenedLine,
  stepRetriedLine,
  stepSkippedLine,
} from '../render/notes.js';
import { planFiles } from '../render/plan-files.js';
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
  if (run === null) return [];
  if (event.type === 'GateReposted') {
    // The files went with the message that was deleted, or stand below what is left of it.
    const plan = seen.after.kind === 'none' ? null : (gateById(seen.after, event.gate)?.plan ?? null);
    const parent = gateMessageKey(run, event.gate);
    const base = { key: `${parent}:${stored.version}`, channel, parent, origin };
    const prefix = `run-${run}-request-${event.gate}`;
    return plan === null ? [] : planFiles(plan, prefix).map((file) => fileOperation(base, file));
  }
  if (event.type !== 'GateOpened') return [];
  return files(gateMessageKey(run, event.gate), `run-${run}-request-${event.gate}`, event.plan);
}

/** What can be read later, in the threads: results, approvals one by one. */
export function threadWork(seen: SeenEvent): ThreadWork | null {
  const { event, after, stored, run } = seen;
  const { channel } = seen;
  const origin = originOf(seen);
  const piece = (line: string): Piece => ({ line, blocks: [] });
  if (after.kind === 'none' || run === null) return null;
  const inRun = {
    key: eventKey(stored.stream, 'thread', stored.version),
    channel,
    parent: cardKey(run),
    announces: false,
    origin,
  };
  switch (event.type) {
    case 'RunOpened':
      return { ...inRun, piece: piece(runOpenedLine(after)) };
    case 'BlockStarted':
      return { ...inRun, piece: piece(blockStartedLine(after, event, stored)) };
    case 'StepFinished':
      return {
        ...inRun,
        key: stepMessageKey(run, event),
        piece: renderStep(after, event),
        announces: outputIsLonger(event),
      };
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
    case 'GateReposted':
      return { ...inRun, piece: piece(gateRepostedLine(event, approversBefore(seen, event.gate))) };
    case 'GateOpened':
    case 'PlanShown':
    case 'JournalMismatch':
    case 'ApprovalRequested':
    case 'GatePreparationFailed':
    case 'LookupFailed':
    case 'ReactionRejected':
    case 'GateRefused':
    case 'GateExpired':
    case 'GateCancelled':
    case 'GateVoided':
    case 'ApprovalNotConfirmed':
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

/** Who had approved a request just before. */
function approversBefore({ before }: SeenEvent, gate: number): string[] {
  return before.kind === 'none' ? [] : (gateById(before, gate)?.approvals ?? []).map(({ by }) => by);
}

/** The whole output of a step, where its result shows a part. */
export function outputAttachments(seen: SeenEvent, readOutput: ReadOutput): FileOperation[] {
  const { event, channel, run } = seen;
  if (event.type !== 'StepFinished' || run === null || !outputIsLonger(event)) return [];
  const { outputFile, output } = event;
  const whole = async () => (outputFile === null ? output : ((await readOutput(outputFile)) ?? output));
  return [
    {
      key: `${stepMessageKey(run, event)}:file`,
      channel,
      parent: cardKey(run),
      filename: outputFilename(run, event),
      title: `Output of ${event.step}, attempt ${event.attempt}`,
      content: whole,
      needed: false,
      origin: originOf(seen),
    },
  ];
}
