import type { CommandContext } from './context.js';
import type { Reply } from './reply.js';
import { requested, settle, withMigrationRun } from './settle.js';

/** Asks for the next phase. */
export function next(context: CommandContext): Promise<Reply> {
  const { user: by, operator, via } = context;
  return withMigrationRun(context, '/m10 next', ({ run }) =>
    settle(context, '/m10 next', run, { type: 'RequestNext', by, operator, via }, (accepted) =>
      requested(accepted, 'the next phase'),
    ),
  );
}
