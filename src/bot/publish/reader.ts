import type { Cursors } from '../../store/cursors.js';
import type { StoredEvent } from '../../store/event.js';
import type { Journal } from '../../store/journal.js';

/** How far the publisher's lanes have come, by cursor name. */
export const publisherCursors = {
  /** Requests, prompts, refusals, ends: everything that people wait for. */
  urgent: 'publisher',
  /** Results in threads. Never ahead of `urgent`, so that a thread's first message stands. */
  thread: 'publisher.thread',
  /** What a request or a plan attaches: read before anybody answers, so never behind results. */
  files: 'publisher.files',
  /** Whole outputs of steps. Never ahead of `thread`, whose messages announce them. */
  outputs: 'publisher.outputs',
  /** Run cards, updated in place. Never ahead of `urgent` either. */
  cards: 'publisher.cards',
} as const;

/** Another replica moved the cursor: this one publishes no longer, or reads again from there. */
export class CursorMoved extends Error {
  override readonly name = 'CursorMoved';
}

export interface Reader {
  /** The position that has been handled, as stored. */
  position(): Promise<number>;
  /** The next events after a position, none of them past `upTo`. */
  read(after: number, upTo: number): Promise<StoredEvent[]>;
  /** @throws CursorMoved */
  advance(from: number, to: number): Promise<void>;
}

const BATCH = 200;

export function createReader(name: string, journal: Journal, cursors: Cursors): Reader {
  return {
    position: () => cursors.get(name),
    async read(after, upTo) {
      if (after >= upTo) return [];
      return (await journal.readAll(after, BATCH)).filter((event) => event.position <= upTo);
    },
    async advance(from, to) {
      if (to === from) return;
      if (!(await cursors.advance(name, from, to))) {
        throw new CursorMoved(`cursor ${name} is no longer at ${from}`);
      }
    },
  };
}
