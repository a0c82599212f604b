import { refuse } from '../runbook/refusal.js';
import type { CommandContext } from './context.js';
import type { Reply } from './reply.js';
import { decline, readRunbook } from './settle.js';

/** Works out what would run now and records it; the publisher posts it with its SQL. */
export async function plan(context: CommandContext): Promise<Reply> {
  const { run } = await context.board.now();
  const loaded = run === null ? await readRunbook(context) : { runbook: run.runbook };
  if ('kind' in loaded) return decline(context, '/m10 plan', loaded, run);
  const { runbook } = loaded;
  let shown: Awaited<ReturnType<CommandContext['planOf']>>;
  try {
    shown = await context.planOf(runbook);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return decline(
      context,
      '/m10 plan',
      refuse('lookup_failed', `The plan cannot be worked out: ${why}`, 'Try again once that is put right.'),
      run,
    );
  }
  const event = { type: 'PlanShown' as const, by: context.user, runbook: runbook.title, plan: shown };
  const options = context.delivery === undefined ? {} : { delivery: context.delivery };
  if (run === null) await context.runs.recordAtDesk(context.incidentChannel, event, context.user, options);
  else await context.runs.record(run.run, event, options);
  return { kind: 'done', text: `The plan of "${runbook.title}" comes to the channel, with its SQL.` };
}
