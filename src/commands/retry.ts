import type { CommandContext } from './context.js';
import type { Reply } from './reply.js';
import { requested, settle, withOpenRun } from './settle.js';

/** Tries what failed again. */
export function retry(context: CommandContext): Promise<Reply> {
  const { user: by, operator, via } = context;
  return withOpenRun(context, '/m10 retry', ({ run }) =>
    settle(context, '/m10 retry', run, { type: 'Retry', by, operator, via }, (accepted) =>
      requested(accepted, 'the retry'),
    ),
  );
}
