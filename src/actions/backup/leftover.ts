import type { Leftover } from '../alembic/after.js';

/** What a dump that was ended early left on the server, as the end of a sentence; empty when nothing is left. */
export function sayLeftover(after: Leftover): string {
  switch (after.kind) {
    case 'gone':
      return '';
    case 'still_working':
      return `. Something of it is left: ${after.why}`;
    case 'unread':
      return `. Whether a session of it is left on the server is not known: ${after.why}`;
  }
}
