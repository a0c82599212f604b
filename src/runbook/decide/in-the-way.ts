import type { CommandType } from '../command.js';
import { type Refusal, refuse } from '../refusal.js';
import { currentBlock, type OpenedRun, openGate, runningStep, troubledSteps } from '../state.js';
import { describeCover } from './words.js';

/** Why a request cannot be granted as the run stands; undefined when nothing of that kind is in the way. */

export const operatorsOnly = (what: string): Refusal =>
  refuse(
    'not_an_operator',
    `Only listed operators may ${what}.`,
    'Everyone may look (`/m10 status`) and everyone may stop (`/m10 stop`).',
  );

export function busy(state: OpenedRun): Refusal | undefined {
  const running = runningStep(state);
  if (running === undefined) return undefined;
  return refuse(
    'step_running',
    `Step \`${running.id}\` is running.`,
    'Wait for its result, or end it with `/m10 stop now`.',
  );
}

export function pendingGate(state: OpenedRun): Refusal | undefined {
  const gate = openGate(state);
  return gate === undefined ? undefined : gateIsOpen(state, gate.id);
}

export function gateIsOpen(state: OpenedRun, id: number): Refusal {
  const gate = state.gates.find((g) => g.id === id);
  const about = gate === undefined ? 'something' : describeCover(state.runbook, gate.cover);
  const missing = gate === undefined ? 0 : Math.max(0, gate.needs - gate.approvals.length);
  return refuse(
    'gate_open',
    `Approval is already asked for: ${about}${gate?.status === 'open' ? `; ${missing} missing` : ''}.`,
    'React on its message: ✅ approves, ❌ refuses. `/m10 stop` withdraws it.',
  );
}

/** Whoever stopped a run: a person, or the bot itself. */
export function stopper(by: string): string {
  return by === 'm10bot' ? 'm10bot itself' : `<@${by}>`;
}

export function stoppedRun(state: OpenedRun): Refusal | undefined {
  if (state.stopped === null) return undefined;
  return refuse(
    'run_stopped',
    `Run ${state.run} was stopped by ${stopper(state.stopped.by)}.`,
    '`/m10 resume` takes it up again; `/m10 rollback REASON` and `/m10 close REASON` end it.',
  );
}

export function troubled(state: OpenedRun): Refusal | undefined {
  const step = troubledSteps(state)[0];
  if (step === undefined) return undefined;
  return refuse(
    'step_failed',
    `Step \`${step.id}\` did not pass.`,
    `\`/m10 retry\`, \`/m10 skip ${step.id} REASON\`, \`/m10 rollback REASON\` or \`/m10 close REASON\`.`,
  );
}

/** What an untrusted run still takes: whatever ends something, and how a step ended that runs already. */
const endsSomething: ReadonlySet<CommandType> = new Set<CommandType>([
  'Stop',
  'Close',
  'React',
  'Unreact',
  'FailGate',
  'ExpireGate',
  'FinishStep',
  'RedoStep',
]);

/** The no to everything that would take an untrusted run further. */
export function notBelieved(state: OpenedRun, command: CommandType): Refusal | undefined {
  if (state.untrusted === null || endsSomething.has(command)) return undefined;
  return refuse(
    'not_believed',
    `Run ${state.run} is untrusted: ${state.untrusted.why}.`,
    'Find out who can write to the state database, read the targets, then `/m10 close REASON` and open a new run.',
  );
}

export function inProgress(state: OpenedRun): Refusal | undefined {
  const block = currentBlock(state);
  if (block === undefined) return undefined;
  return refuse('step_running', `"${block.title}" is under way.`, 'Wait until it is done, or `/m10 stop`.');
}

export function afterwards(state: OpenedRun): string {
  const gate = openGate(state);
  if (gate !== undefined) return 'The run waits for approval; react on its message.';
  return '`/m10 status` shows where it is; `/m10 next` asks for the next phase.';
}

export function unknownOperation(known: readonly string[]): Refusal {
  return refuse(
    'unknown_operation',
    'This runbook has no such operation.',
    known.length === 0 ? 'It has none.' : `It has: ${known.map((k) => `\`${k}\``).join(', ')}.`,
  );
}
