import type { CommandContext } from './context.js';
import { openRun } from './open-run.js';
import type { Reply } from './reply.js';
import { requested, settle } from './settle.js';

/** Asks for the rollback: of the open run, or of what an earlier, closed one left behind. */
export async function rollback(context: CommandContext, reason: string): Promise<Reply> {
  const { user: by, operator, via } = context;
  const { run } = await context.board.now();
  if (run === null) {
    return openRun(context, '/m10 rollback', { kind: 'rollback' }, reason, (accepted) =>
      requested(accepted, 'the rollback'),
    );
  }
  return settle(
    context,
    '/m10 rollback',
    run.run,
    { type: 'RequestRollback', by, operator, reason, via },
    (accepted) => requested(accepted, 'the rollback'),
  );
}
