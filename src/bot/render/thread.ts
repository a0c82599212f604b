import { cutMrkdwn, LIMITS } from './limits.js';
import { type Block, lengthOf, message, type Rendered, section } from './message.js';
import type { Piece } from './step.js';

/** How much one message of a thread takes, so that it stays readable. */
const ROOM = 8_000;
const MOST_PIECES = 15;

/** How many of these pieces, from the first, go into one message; at least one. */
export function piecesThatFit(pieces: readonly Piece[]): number {
  let used = 0;
  for (const [index, piece] of pieces.entries()) {
    used += piece.line.length + piece.blocks.reduce((sum, b) => sum + lengthOf(b), 0);
    if (index > 0 && (used > ROOM || index >= MOST_PIECES)) return index;
  }
  return pieces.length;
}

/** One message out of pieces: lines that have no output share a paragraph. */
export function renderThread(pieces: readonly Piece[]): Rendered {
  const blocks: Block[] = [];
  let lines: string[] = [];
  const flush = () => {
    if (lines.length > 0) blocks.push(section(lines.join('\n')));
    lines = [];
  };
  for (const piece of pieces) {
    const one = cutMrkdwn(piece.line, LIMITS.section);
    if (lines.join('\n').length + one.length + 1 > LIMITS.section) flush();
    lines.push(one);
    if (piece.blocks.length > 0) {
      flush();
      blocks.push(...piece.blocks);
    }
  }
  flush();
  return message(pieces.map((piece) => piece.line).join('\n'), blocks);
}
