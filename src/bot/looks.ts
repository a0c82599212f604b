import type { Board, Snapshot } from '../commands/board.js';
import { help } from '../commands/help.js';
import type { ParsedCommand } from '../commands/parse.js';
import { status } from '../commands/status.js';
import type { Undelivered } from '../store/held.js';
import type { Rendered } from './render/message.js';
import { renderReply } from './render/replies.js';

/** The answer to a look, ready for the acknowledgement. */
export interface LookAnswer extends Rendered {
  readonly response_type: 'in_channel' | 'ephemeral';
}

/** Answers looks from what is in memory, as long as the journal has not moved. */
export function createLooks(deps: {
  readonly board: Board;
  readonly undelivered: () => Promise<Undelivered | null>;
  /** ms since the epoch */
  readonly now: () => number;
}): (command: ParsedCommand, user: string, head: number) => Promise<LookAnswer> {
  let shown: { readonly of: Snapshot; readonly second: number; readonly answer: LookAnswer } | null = null;
  const helped: LookAnswer = { response_type: 'ephemeral', ...renderReply(help()) };

  return async (command, user, head) => {
    if (command.name === 'help') return helped;
    const of = await deps.board.at(head);
    const now = deps.now();
    // Nothing in it is finer than a second.
    const second = Math.floor(now / 1_000);
    if (shown !== null && shown.of === of && shown.second === second) return shown.answer;
    const reply = status(of, await deps.undelivered(), user, now);
    const answer: LookAnswer = { response_type: 'in_channel', ...renderReply(reply) };
    shown = { of, second, answer };
    return answer;
  };
}
