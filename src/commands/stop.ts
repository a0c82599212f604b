import { type OpenedRun, runningStep } from '../runbook/state.js';
import { opened } from '../store/runs.js';
import type { CommandContext } from './context.js';
import type { Reply } from './reply.js';
import { type Accepted, settle, withOpenRun } from './settle.js';

/** Stops what is open; with `now` the running step is ended too. Everyone may. */
export async function stop(context: CommandContext, now: boolean, reason: string): Promise<Reply> {
  const { run, beside } = await context.board.now();
  // Whoever says stop means everything; an operation beside the migration has no word of its own for it.
  const also = run === null || beside === null ? null : await stopBeside(context, beside, now, reason);
  const { user: by, via } = context;
  return withOpenRun(context, '/m10 stop', async (main) => {
    const asked = { type: 'Stop', by, reason, now, via } as const;
    if (also === null) {
      return settle(context, '/m10 stop', main.run, asked, (accepted) => receipt(main.run, now, accepted));
    }
    const done = await context.runs.execute(main.run, asked, keyOf(context, ''));
    const told = done.kind === 'accepted' ? receipt(main.run, now, done) : done.why;
    return { kind: 'done', text: `${told} ${also}` };
  });
}

/** @returns what became of it, for the receipt */
async function stopBeside(
  context: CommandContext,
  beside: OpenedRun,
  now: boolean,
  reason: string,
): Promise<string> {
  const { user: by, via } = context;
  try {
    // A key of its own: the delivery has had its effect only once both runs have heard of it.
    const key = keyOf(context, ':beside');
    const done = await context.runs.execute(beside.run, { type: 'Stop', by, reason, now, via }, key);
    return done.kind === 'accepted' ? receipt(beside.run, now, done) : done.why;
  } catch (error) {
    // The migration is stopped whatever becomes of this.
    const why = error instanceof Error ? error.message : String(error);
    return `Run ${beside.run} could not be stopped (${why}). Say it again.`;
  }
}

function keyOf({ delivery }: CommandContext, suffix: string): { delivery?: string } {
  return delivery === undefined ? {} : { delivery: `${delivery}${suffix}` };
}

function receipt(run: number, now: boolean, { state }: Accepted): string {
  const stopped = opened(state);
  const running = stopped === undefined ? undefined : runningStep(stopped);
  if (running === undefined) return `Run ${run} is stopped. Nothing runs.`;
  return now
    ? `Run ${run} is stopped. Step \`${running.id}\` is being ended; the channel is told when it is.`
    : `Run ${run} stops after step \`${running.id}\`, which still runs. \`/m10 stop now\` ends it.`;
}
