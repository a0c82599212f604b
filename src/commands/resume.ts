import type { CommandContext } from './context.js';
import type { Reply } from './reply.js';
import { requested, settle, withOpenRun } from './settle.js';

/** Takes a stopped run up again. */
export function resume(context: CommandContext): Promise<Reply> {
  const { user: by, operator, via } = context;
  return withOpenRun(context, '/m10 resume', ({ run }) =>
    settle(context, '/m10 resume', run, { type: 'Resume', by, operator, via }, (accepted) =>
      requested(accepted, 'going on'),
    ),
  );
}
