import type pg from 'pg';
import { compareHeads, type HeadMismatch, inWords, type NotedHead } from '../store/heads.js';
import type { HeadsFile } from '../store/heads-file.js';
import type { Journal } from '../store/journal.js';

/** What a comparison found: the first head that is not in the journal any more, or null. */
export interface HeadsWatch {
  start(): void;
  /** The journal has grown: its head is noted soon. */
  wake(): void;
  /** Compares now, and tells a mismatch that was not told before. */
  compare(): Promise<HeadMismatch | null>;
  /** The same in words, for `/m10 audit`. */
  differs(): Promise<string | null>;
  /** What the last comparison found. */
  standing(): HeadMismatch | null;
  stop(): Promise<void>;
}

/** The journal may grow by several events a second: one note for all of them, ms. */
const noteEveryMs = 10_000;
const compareEveryMs = 3_600_000;
/** When the channel could not be read, ms. */
const askAgainMs = 15_000;

/** Compares the journal with heads that were noted outside the database, and notes where it ends. */
export function createHeadsWatch(deps: {
  readonly pool: Pick<pg.Pool, 'query'>;
  readonly journal: Pick<Journal, 'head'>;
  readonly file: HeadsFile;
  /** Heads that the channel shows, told after a moment (ms since the epoch); throws when Slack cannot be asked. */
  readonly channelHeads: (sinceMs: number) => Promise<readonly NotedHead[]>;
  /** When the channel is asked again after it could not be read, ms. */
  readonly againMs?: number;
  readonly tell: (mismatch: HeadMismatch) => Promise<void>;
  readonly log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
}): HeadsWatch {
  const { pool, journal, file, log } = deps;
  let standing: HeadMismatch | null = null;
  let told = '';
  let noted = -1;
  let noteTimer: NodeJS.Timeout | undefined;
  let compareTimer: NodeJS.Timeout | undefined;
  let againTimer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function note(): Promise<void> {
    const head = await journal.head();
    if (head.position === noted) return;
    await file.note(head);
    noted = head.position;
  }

  async function compare(): Promise<HeadMismatch | null> {
    const { heads, acceptedAt } = await file.read();
    const inChannel = await deps.channelHeads(acceptedAt ?? 0).catch((error: unknown) => {
      // Not there to be read is no mismatch; it is asked again.
      log.warn({ error }, 'the heads of the journal in the channel could not be read');
      askAgain();
      return [];
    });
    const found = (await compareHeads(pool, [...heads, ...inChannel]))[0] ?? null;
    standing = found;
    if (found === null) return null;
    const name = `${found.noted.position}:${found.noted.hash}:${found.found}`;
    if (name !== told) {
      log.error(found, 'the journal is not the one whose head was noted');
      await deps.tell(found);
      told = name;
    }
    return found;
  }

  /** Right after the start the bot may not know yet who it is in Slack. */
  function askAgain(): void {
    clearTimeout(againTimer);
    if (!stopped) againTimer = setTimeout(look, deps.againMs ?? askAgainMs);
  }

  const look = () =>
    compare().catch((error: unknown) =>
      log.warn({ error }, 'the journal could not be compared with its heads'),
    );
  const noteNow = () =>
    note().catch((error: unknown) => log.error({ error }, 'the head of the journal could not be noted'));

  return {
    start() {
      // First what was noted, then what is: a journal that was rewritten must not become the one that is expected.
      void look().then(() => (stopped ? undefined : noteNow()));
      compareTimer = setInterval(look, compareEveryMs);
    },
    wake() {
      if (noteTimer !== undefined || stopped) return;
      noteTimer = setTimeout(() => {
        noteTimer = undefined;
        void noteNow();
      }, noteEveryMs);
    },
    compare,
    differs: async () => inWords(await compare()),
    standing: () => standing,
    async stop() {
      stopped = true;
      clearTimeout(noteTimer);
      clearTimeout(againTimer);
      clearInterval(compareTimer);
      await noteNow();
    },
  };
}
