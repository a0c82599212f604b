import type { Runbook } from '../runbook/definition.js';
import type { Purpose } from '../runbook/events.js';
import { refuse } from '../runbook/refusal.js';
import type { CommandContext } from './context.js';
import type { Reply } from './reply.js';
import { type Accepted, decline, readRunbook, settle } from './settle.js';

/**
 * Opens a run for a purpose. Who is no operator is refused before a run number is spent.
 * @param change what the run's copy of the runbook says otherwise
 */
export async function openRun(
  context: CommandContext,
  command: string,
  purpose: Purpose,
  reason: string,
  receipt: (accepted: Accepted) => string,
  change: (runbook: Runbook) => Runbook = (runbook) => runbook,
): Promise<Reply> {
  if (!context.operator) {
    const { run } = await context.board.now();
    return decline(
      context,
      command,
      refuse(
        'not_an_operator',
        'Only listed operators may open a run.',
        'Everyone may look (`/m10 status`) and everyone may stop (`/m10 stop`).',
      ),
      run,
    );
  }
  const loaded = await readRunbook(context);
  if ('kind' in loaded) return decline(context, command, loaded, null);
  const { runbook, digest } = loaded;
  const run = await context.nextRunNumber();
  return settle(
    context,
    command,
    run,
    {
      type: 'OpenRun',
      run,
      purpose,
      runbook: change(runbook),
      digest,
      channel: context.incidentChannel,
      by: context.user,
      operator: context.operator,
      changing: context.changing,
      reason,
      // Read again when the command is decided.
      busy: [],
    },
    receipt,
  );
}
