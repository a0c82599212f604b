import type { CommandContext } from './context.js';
import { openRun } from './open-run.js';
import type { Reply } from './reply.js';
import { requested, settle } from './settle.js';

/** The runbook's operation that takes a backup. */
const OPERATION = 'backup';

/** Asks for a backup: within the open run, or as a run of its own. */
export async function backup(context: CommandContext): Promise<Reply> {
  const { user: by, operator, via } = context;
  const { run } = await context.board.now();
  if (run === null) {
    return openRun(context, '/m10 backup', { kind: 'operation', id: OPERATION }, '', (accepted) =>
      requested(accepted, 'a backup'),
    );
  }
  return settle(
    context,
    '/m10 backup',
    run.run,
    { type: 'RequestOperation', by, operator, operation: OPERATION, via },
    (accepted) => requested(accepted, 'a backup'),
  );
}
