import { runningStep } from '../runbook/state.js';
import { opened } from '../store/runs.js';
import type { CommandContext } from './context.js';
import type { Reply } from './reply.js';
import { settle, withOpenRun } from './settle.js';

/** Stops the run; with `now` the running step is ended too. Everyone may. */
export function stop(context: CommandContext, now: boolean, reason: string): Promise<Reply> {
  const { user: by, via } = context;
  return withOpenRun(context, '/m10 stop', ({ run }) =>
    settle(context, '/m10 stop', run, { type: 'Stop', by, reason, now, via }, ({ state }) => {
      const stopped = opened(state);
      const running = stopped === undefined ? undefined : runningStep(stopped);
      if (running === undefined) return `Run ${run} is stopped. Nothing runs.`;
      return now
        ? `Run ${run} is stopped. Step \`${running.id}\` is being ended; the channel is told when it is.`
        : `Run ${run} stops after step \`${running.id}\`, which still runs. \`/m10 stop now\` ends it.`;
    }),
  );
}
