import type { CommandContext } from './context.js';
import type { Reply } from './reply.js';
import { settle, withOpenRun } from './settle.js';

/** Ends the run and frees its targets; what state they are in is read and recorded. */
export function close(context: CommandContext, reason: string): Promise<Reply> {
  const { user: by, operator } = context;
  return withOpenRun(context, '/m10 close', async ({ run }) => {
    // Who may not close is told so without a look at the databases.
    const targets = operator ? await context.targetStates() : [];
    return settle(
      context,
      '/m10 close',
      run,
      { type: 'Close', by, operator, reason, targets },
      () => `Run ${run} is closed, and its targets are free.`,
    );
  });
}
