import type { People } from '../slack/client.js';
import type { SeenMessage } from '../slack/people/protocol.js';
import { CHANNELS } from '../slack/people.js';
import { renderEphemeral, renderMessage } from '../slack/transcript.js';

export interface Show {
  /** Prints everything that has come since, and what has changed. */
  catchUp(): Promise<void>;
  /** Goes on printing until `end`. */
  follow(): void;
  end(): Promise<void>;
}

/** Prints the incident channel as it grows. */
export function createShow(options: {
  readonly people: People;
  readonly write: (line: string) => void;
  readonly colour: boolean;
  readonly width: number;
  /** Whose private answers are shown too. */
  readonly watched: readonly string[];
}): Show {
  const { people, write, colour, width } = options;
  const look = { colour, width };
  /** The first line of each message as it was printed last. */
  const printed = new Map<string, string>();
  const whispered = new Set<string>();
  let ended = false;
  let following: Promise<void> = Promise.resolve();
  let printing: Promise<void> = Promise.resolve();

  function print(message: SeenMessage): void {
    const last = printed.get(message.ts);
    const now = fingerprint(message);
    if (last === now) return;
    printed.set(message.ts, now);
    if (last !== undefined && !worthShowing(last, now)) return;
    write('');
    const lines = renderMessage(message, look);
    // A message that has changed is told by its head alone; the whole of it stands above already.
    if (last === undefined) for (const line of lines) write(line);
    else for (const line of changed(message, lines)) write(line);
  }

  function changed(message: SeenMessage, lines: string[]): string[] {
    const reactions = message.reactions.length === 0 ? [] : lines.slice(-1);
    const told = renderMessage({ ...message, blocks: [], reactions: [], files: [] }, look);
    return [...told, ...reactions];
  }

  async function pass(): Promise<void> {
    const { messages } = await people.read({ channel: CHANNELS.incident });
    for (const message of messages) print(message);
    for (const user of options.watched) {
      const { ephemerals } = await people.ephemerals({ user });
      for (const answer of ephemerals.filter((e) => !whispered.has(`${e.to} ${e.ts}`))) {
        whispered.add(`${answer.to} ${answer.ts}`);
        write('');
        for (const line of renderEphemeral(answer, look)) write(line);
      }
    }
  }

  async function catchUp(): Promise<void> {
    printing = printing.then(pass, pass);
    await printing;
  }

  return {
    catchUp,
    follow() {
      following = (async () => {
        let { cursor } = await people.since({ cursor: Number.MAX_SAFE_INTEGER });
        while (!ended) {
          await catchUp();
          ({ cursor } = await people.since({ cursor, wait_ms: 500 }));
        }
      })();
    },
    async end() {
      ended = true;
      await following.catch(() => undefined);
      await catchUp();
    },
  };
}

/** What makes a message worth looking at again: its line for screen readers, and who reacted. */
function fingerprint(message: SeenMessage): string {
  return JSON.stringify([message.text, message.reactions, message.files.length]);
}

/** Times that tick are no news. */
function worthShowing(last: string, now: string): boolean {
  const still = (text: string) => text.replace(/\d+(\.\d+)? ?(ms|s|min|h)\b/g, '');
  return still(last) !== still(now);
}
