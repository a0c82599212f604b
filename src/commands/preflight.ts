import { opened } from '../store/runs.js';
import type { CommandContext } from './context.js';
import { openRun } from './open-run.js';
import type { Reply } from './reply.js';

/** Opens a run of the whole runbook; its checks start by themselves. */
export function preflight(context: CommandContext): Promise<Reply> {
  return openRun(context, '/m10 preflight', { kind: 'runbook' }, '', ({ state }) => {
    const run = opened(state);
    return `Run ${run?.run ?? ''} is open: ${run?.runbook.title ?? ''}. Its checks have begun; their results come to the channel.`;
  });
}
