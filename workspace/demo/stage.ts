import type { People } from '../slack/client.js';
import type { SeenMessage } from '../slack/people/protocol.js';
import { CHANNELS, USERS } from '../slack/people.js';

type Name = 'alice' | 'bob' | 'carol' | 'dave' | 'gina' | 'rob';

/** The people of a story, acting in the incident channel, each act announced as a stage direction. */
export interface Stage {
  tell(text: string): void;
  say(who: Name, text: string): Promise<void>;
  react(who: Name, on: SeenMessage, emoji: string): Promise<void>;
  unreact(who: Name, on: SeenMessage, emoji: string): Promise<void>;
  press(who: Name, on: SeenMessage, action: string): Promise<void>;
  /** Waits for a message of the channel by its text; for the newest when several match. */
  text(pattern: RegExp, timeoutMs?: number): Promise<SeenMessage>;
  /** Waits for a message of the bot by the start of its key; for the newest when several match. */
  message(key: string, when?: (message: SeenMessage) => boolean, timeoutMs?: number): Promise<SeenMessage>;
}

export function createStage(options: {
  readonly people: People;
  readonly tell: (text: string) => void;
}): Stage {
  const { people, tell } = options;
  const channel = CHANNELS.incident;
  const name = (who: Name) => `${who[0]?.toUpperCase() ?? ''}${who.slice(1)}`;
  return {
    tell,
    async say(who, text) {
      tell(`${name(who)} types ${text}`);
      const answer = await people.say({ user: USERS[who], channel, text });
      if (!answer.ok) throw new Error(`Slack told ${who}: ${answer.error ?? 'an unknown error'}`);
    },
    async react(who, on, emoji) {
      tell(`${name(who)} reacts :${emoji}:`);
      await people.react({ user: USERS[who], channel, ts: on.ts, emoji });
    },
    async unreact(who, on, emoji) {
      tell(`${name(who)} takes :${emoji}: back`);
      await people.unreact({ user: USERS[who], channel, ts: on.ts, emoji });
    },
    async press(who, on, action) {
      tell(`${name(who)} presses ${action.replace('run_', '')}`);
      await people.press({ user: USERS[who], channel, ts: on.ts, action_id: action });
    },
    text(pattern, timeoutMs = 60_000) {
      return people.until(
        async () => {
          const { messages } = await people.read({ channel });
          return messages.findLast((m) => pattern.test(m.text));
        },
        timeoutMs,
        async () => `a message like ${pattern}`,
      );
    },
    message(key, when = () => true, timeoutMs = 60_000) {
      return people.until(
        async () => {
          const { messages } = await people.read({ channel });
          return messages.findLast((m) => (keyOf(m) ?? '').startsWith(key) && when(m));
        },
        timeoutMs,
        async () => {
          const { messages } = await people.read({ channel });
          return `${key}; the last messages are:\n${messages
            .slice(-8)
            .map((m) => `${keyOf(m) ?? '-'}: ${m.text}`)
            .join('\n')}`;
        },
      );
    },
  };
}

/** The key under which the bot remembers a message; it travels in the message's metadata. */
export function keyOf(message: SeenMessage): string | undefined {
  const payload = message.metadata?.event_payload;
  if (typeof payload !== 'object' || payload === null || !('key' in payload)) return undefined;
  return typeof payload.key === 'string' ? payload.key : undefined;
}
