import { boardOf, openRunOf, type Snapshot } from '../commands/board.js';
import type { CommandContext } from '../commands/context.js';
import type { ParsedCommand } from '../commands/parse.js';
import type { Reply } from '../commands/reply.js';
import { runCommand } from '../commands/run-command.js';
import { decline } from '../commands/settle.js';
import { blockKey } from '../runbook/definition.js';
import { refuse } from '../runbook/refusal.js';
import { type OpenedRun, stepKey, troubledSteps } from '../runbook/state.js';
import { type PromptAction, type PromptValue, readPromptValue } from './render/prompt-value.js';

/** What pressing a button means, said as a command. A skip comes with the reason given in its modal. */
export async function pressButton(
  context: CommandContext,
  action: PromptAction,
  value: string,
  reason: string,
  now: number,
): Promise<Reply> {
  const command = commandOf(action, value, reason);
  const asked = readPromptValue(value);
  const snapshot = await context.board.now();
  const run = asked === null ? null : openRunOf(snapshot, asked.run);
  const old = staleBecause(snapshot, asked, action);
  if (run === null || old !== null) {
    return decline(
      context,
      `${labels[action]} (button)`,
      refuse('stale', old ?? '', '`/m10 status` shows where it stands and what can be done.'),
      run ?? snapshot.run,
    );
  }
  // Two runs may be open: the button means the one that it was shown for.
  return runCommand({ ...context, board: boardOf(context.board, run) }, command, now);
}

const labels: Readonly<Record<PromptAction, string>> = {
  retry: 'Retry',
  skip: 'Skip',
  rollback: 'Roll back',
  stop: 'Stop',
};

function commandOf(action: PromptAction, value: string, reason: string): ParsedCommand {
  const step = readPromptValue(value)?.step ?? '';
  switch (action) {
    case 'retry':
      return { name: 'retry' };
    case 'skip':
      return { name: 'skip', step, reason };
    case 'rollback':
      return { name: 'rollback', reason: step === '' ? '' : `step ${step} did not pass` };
    case 'stop':
      return { name: 'stop', now: false, reason: step === '' ? '' : `step ${step} did not pass` };
  }
}

/**
 * Why a button's question is no longer the one that is open; null when it still is. Stopping is never stale
 * within its run.
 */
export function staleBecause(
  snapshot: Snapshot,
  value: PromptValue | null,
  action: PromptAction,
): string | null {
  if (value === null) return 'That button belongs to another version of the bot.';
  const run = openRunOf(snapshot, value.run);
  if (run === null) {
    const open = snapshot.run ?? snapshot.beside;
    return `Run ${value.run} is closed${open === null ? '' : `; run ${open.run} is the open one`}.`;
  }
  if (action === 'stop') return null;
  const step = `Step \`${value.step}\``;
  const block = run.current;
  const progress = block === null ? undefined : run.steps[stepKey(block, value.step)];
  if (block === null || blockKey(block) !== value.block || progress === undefined) {
    return `${step} is no longer what the run is at.`;
  }
  if (progress.attempt !== value.attempt) {
    return `${step} has been tried again since: attempt ${progress.attempt} ${told(progress.status)}.`;
  }
  const troubled = troubledSteps(run).some((s) => s.id === value.step);
  return troubled ? null : `${step} ${told(progress.status)} by now.`;
}

function told(status: OpenedRun['steps'][string]['status']): string {
  switch (status) {
    case 'pending':
      return 'is about to run';
    case 'running':
      return 'is running';
    case 'passed':
      return 'has passed';
    case 'failed':
      return 'has failed';
    case 'unknown':
      return 'has a result that nobody knows';
    case 'skipped':
      return 'is skipped';
  }
}
