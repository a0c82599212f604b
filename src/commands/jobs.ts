import { refuse } from '../runbook/refusal.js';
import type { CommandContext } from './context.js';
import type { M10Command } from './parse-m10.js';
import type { Reply } from './reply.js';
import { decline } from './settle.js';

/** The words after `/m10 jobs`. */
export async function jobsCommand(
  context: CommandContext,
  command: Extract<M10Command, { name: 'jobs' }>,
): Promise<Reply> {
  const { run } = await context.board.now();
  const said = command.verb === 'show' ? '/m10 jobs' : `/m10 jobs ${command.verb}`;
  return decline(
    context,
    said,
    refuse('nothing_left', 'This bot runs no jobs.', 'The section `jobs` of its configuration sets them up.'),
    run,
  );
}
