import type { Command } from '../runbook/command.js';
import type { Refusal } from '../runbook/refusal.js';
import { refuse } from '../runbook/refusal.js';
import type { OpenedRun } from '../runbook/state.js';
import { type Executed, opened } from '../store/runs.js';
import type { CommandContext } from './context.js';
import type { Reply } from './reply.js';

export type Accepted = Extract<Executed, { kind: 'accepted' }>;

/** Says no to the person and records it, so that the channel learns of it too. */
export async function decline(
  context: CommandContext,
  command: string,
  refusal: Pick<Refusal, 'code' | 'why' | 'instead'>,
  run: OpenedRun | null,
): Promise<Reply> {
  const { code, why, instead } = refusal;
  const event = { type: 'CommandRefused' as const, by: context.user, command, code, why, instead };
  const options = context.delivery === undefined ? {} : { delivery: context.delivery };
  const recorded =
    run !== null && run.closed === null
      ? await context.runs.record(run.run, event, options)
      : await context.runs.recordAtDesk(context.incidentChannel, event, context.user, options);
  // Handled twice, by a slow worker and by the one that took it over: the first effect is what counts.
  if (!recorded) return { kind: 'done', text: `\`${command}\` has been carried out; the channel shows how.` };
  return { kind: 'refused', reason: code, command, why, instead };
}

/** Puts a command to a run; answers with `receipt` when it is accepted, and declines otherwise. */
export async function settle(
  context: CommandContext,
  command: string,
  run: number,
  asked: Command,
  receipt: (accepted: Accepted) => string,
): Promise<Reply> {
  const options = context.delivery === undefined ? {} : { delivery: context.delivery };
  const executed = await context.runs.execute(run, asked, options);
  if (executed.kind === 'accepted') return { kind: 'done', text: receipt(executed) };
  const { run: main, beside } = await context.board.now();
  // On the run that it was put to, when that is open; a run that could not be opened has no record.
  return decline(context, command, executed, beside?.run === run ? beside : main);
}

/**
 * Gives a command the open run, or declines because there is none. The migration's run comes first; an operation
 * that stands alone takes its place.
 */
export async function withOpenRun(
  context: CommandContext,
  command: string,
  use: (run: OpenedRun) => Promise<Reply>,
): Promise<Reply> {
  const { run, beside } = await context.board.now();
  const open = run ?? beside;
  if (open !== null) return use(open);
  return decline(context, command, noRun(), null);
}

/** Gives a command the run that migrates, or declines because there is none: an operation has no phases. */
export async function withMigrationRun(
  context: CommandContext,
  command: string,
  use: (run: OpenedRun) => Promise<Reply>,
): Promise<Reply> {
  const { run } = await context.board.now();
  return run === null ? decline(context, command, noRun(), null) : use(run);
}

/** What a receipt says about a request: whether it waits for people or was granted at once. */
export function requested(accepted: Accepted, what: string): string {
  const asked = accepted.events.some((e) => e.type === 'ApprovalRequested');
  const run = opened(accepted.state)?.run ?? '';
  return asked
    ? `Run ${run}: ${what} is asked for. The request appears in the channel once it is prepared.`
    : `Run ${run}: ${what} goes ahead; it needs no approval.`;
}

/** The runbook as its file stands now, or the no that says why it cannot be read. */
export async function readRunbook(
  context: CommandContext,
): Promise<Awaited<ReturnType<CommandContext['loadRunbook']>> | Refusal> {
  try {
    return await context.loadRunbook();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return refuse(
      'bad_arguments',
      `The runbook cannot be read: ${why}`,
      'Put it right, see `m10bot runbook check FILE`, and say it again.',
    );
  }
}

function noRun(): Refusal {
  return refuse('no_run', 'No run is open.', 'Open one with `/m10 preflight`.');
}
