import { refuse } from '../runbook/refusal.js';
import type { CommandContext } from './context.js';
import type { M10Command } from './parse-m10.js';
import type { Reply } from './reply.js';
import { decline } from './settle.js';

/** The words about locks, the outbox and replays. */
export async function m10Command(
  context: CommandContext,
  command: Exclude<M10Command, { name: 'jobs' }>,
): Promise<Reply> {
  const { run } = await context.board.now();
  return decline(
    context,
    `/m10 ${command.name}`,
    refuse('nothing_left', 'This bot runs no jobs.', 'The section `jobs` of its configuration sets them up.'),
    run,
  );
}
