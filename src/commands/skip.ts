import type { CommandContext } from './context.js';
import type { Reply } from './reply.js';
import { requested, settle, withOpenRun } from './settle.js';

/** Asks to leave a step out. */
export function skip(context: CommandContext, step: string, reason: string): Promise<Reply> {
  const { user: by, operator, via } = context;
  return withOpenRun(context, '/m10 skip', ({ run }) =>
    settle(context, '/m10 skip', run, { type: 'RequestSkip', by, operator, step, reason, via }, (accepted) =>
      requested(accepted, `skipping \`${step}\``),
    ),
  );
}
