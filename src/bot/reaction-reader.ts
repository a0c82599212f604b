import type { WebClient } from '@slack/web-api';
import { z } from 'zod';
import type { NotAsked, Sign } from '../runbook/command.js';
import { gateMessageKey, type RequestRef } from '../runbook/people.js';
import type { Posted, PostedMessage } from '../store/posted.js';
import { type Ask, notAsked } from './asking.js';
import type { Log } from './log.js';
import { signOf } from './signs.js';

/** One person's emoji on a message that asks for approval. */
export interface Given {
  readonly user: string;
  readonly emoji: string;
  readonly sign: Sign;
}

/** What stands on a gate's message now. */
export type ReadOfMessage =
  | { readonly kind: 'read'; readonly given: readonly Given[] }
  /**
   * The message was deleted, or what it attaches, or what is noted as the message is another one; `ts` is which one
   * it was, or the file's id.
   */
  | { readonly kind: 'gone'; readonly ts: string }
  /** No message of it is noted, or not yet. */
  | { readonly kind: 'unposted' }
  /** Slack did not answer, or a file of the message is not there yet. */
  | NotAsked;

/** Reads from Slack who reacted how on a request's message, the bot itself left out. Never throws. */
export type ReadReactions = (request: RequestRef) => Promise<ReadOfMessage>;

/** How far Slack's clock and the journal's may be apart, ms: what Slack itself allows to signed requests. */
const CLOCKS_APART = 5 * 60_000;

/**
 * Whether a message is the one that asks for this approval. Which message it is stands in the state database, and
 * whoever writes there could name one that the approver has reacted to before.
 */
function isRequest(message: Message, ts: string, request: RequestRef, botUserId: string): boolean {
  if (message.user !== undefined && message.user !== botUserId) return false;
  if (Number(ts) * 1_000 < request.requestedAt - CLOCKS_APART) return false;
  const name = new RegExp(`\\brun ${request.run}, request ${request.gate}\\b`, 'i');
  return name.test(message.text) || name.test(JSON.stringify(message.blocks));
}

const Answer = z.object({
  message: z.object({
    subtype: z.string().optional(),
    user: z.string().optional(),
    text: z.string().default(''),
    blocks: z.array(z.unknown()).default([]),
    reactions: z.array(z.object({ name: z.string(), users: z.array(z.string()) })).default([]),
  }),
});
type Message = z.infer<typeof Answer>['message'];

const Thread = z.object({
  messages: z.array(
    z.object({
      ts: z.string(),
      subtype: z.string().optional(),
      files: z.array(z.looseObject({ id: z.string().optional(), mode: z.string().optional() })).default([]),
    }),
  ),
  response_metadata: z.looseObject({ next_cursor: z.string().default('') }).optional(),
});

/** Pages of 200 replies; files stand at a thread's beginning, so more than these are not looked through. */
const MOST_PAGES = 5;

/** How long a file may take to appear in its thread, ms: Slack answers before the message that shows it stands. */
const APPEARS_WITHIN = 60_000;

interface Missing {
  readonly file: PostedMessage;
  /** Slack shows that it was; otherwise it is not in the thread, or not yet. */
  readonly deleted: boolean;
}

/** A file that is deleted stays in its message as one of these; the oldest of a free plan are only hidden. */
const unreadable = new Set(['tombstone', 'hidden_by_limit']);

/**
 * The files of a request as it was posted last, and the messages in the place of one. Their keys are
 * `GATE:file:NAME`, after a repost `GATE:VERSION:file:NAME`. What stands outside of the thread is left out.
 */
function latestFiles(gateKey: string, noted: readonly PostedMessage[]): PostedMessage[] {
  const found = noted.flatMap((file) => {
    const match = /^:(?:(\d+):)?file:/.exec(file.key.slice(gateKey.length));
    return match === null || !/^(F|\d)/.test(file.ts) ? [] : [{ file, version: Number(match[1] ?? -1) }];
  });
  const latest = Math.max(...found.map(({ version }) => version));
  return found.filter(({ version }) => version === latest).map(({ file }) => file);
}

export function createReactionReader(deps: {
  readonly client: WebClient;
  readonly ask: Ask;
  readonly posted: Pick<Posted, 'get' | 'list'>;
  readonly botUserId: () => string | null;
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}): ReadReactions {
  /** What of these cannot be read in a thread; null when it has more replies than are looked through. */
  async function missingFrom(message: PostedMessage, files: PostedMessage[]): Promise<Missing[] | null> {
    const { channel, ts } = message;
    const missing = new Map(files.map((file): [string, Missing] => [file.ts, { file, deleted: false }]));
    const deleted = (at: string) => {
      const found = missing.get(at);
      if (found !== undefined) missing.set(at, { ...found, deleted: true });
    };
    let cursor = '';
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const more = cursor === '' ? {} : { cursor };
      const answer = await deps.client.conversations.replies({ channel, ts, limit: 200, ...more });
      const thread = Thread.parse(answer);
      for (const reply of thread.messages) {
        if (reply.subtype === 'tombstone') deleted(reply.ts);
        else missing.delete(reply.ts);
        for (const { id = '', mode = '' } of reply.files) {
          if (unreadable.has(mode)) deleted(id);
          else missing.delete(id);
        }
      }
      cursor = thread.response_metadata?.next_cursor ?? '';
      if (missing.size === 0 || cursor === '') return [...missing.values()];
    }
    return null;
  }

  /** Whether all that a request attaches can be read: what cannot be, or `late` while it may still appear. */
  async function attached(
    gateKey: string,
    message: PostedMessage,
  ): Promise<'read' | 'late' | { lost: string }> {
    const files = latestFiles(gateKey, await deps.posted.list(`${gateKey}:`));
    const missing = files.length === 0 ? [] : ((await missingFrom(message, files)) ?? []);
    const late = (file: PostedMessage) => deps.now() - file.updatedAt.getTime() <= APPEARS_WITHIN;
    const lost = missing.find(({ file, deleted }) => deleted || !late(file));
    if (lost !== undefined) return { lost: lost.file.ts };
    return missing.length === 0 ? 'read' : 'late';
  }

  /** The reactions alone, without what the request attaches. */
  async function reactionsOn(request: RequestRef, message: PostedMessage): Promise<ReadOfMessage> {
    const { channel, ts: timestamp } = message;
    // Without `full`, Slack may leave people out.
    const asked = await deps.ask('reactions.get', async () =>
      Answer.parse(await deps.client.reactions.get({ channel, timestamp, full: true })),
    );
    if (asked.kind === 'not_asked') return asked;
    if (asked.kind === 'refused') {
      return asked.code === 'message_not_found'
        ? { kind: 'gone', ts: timestamp }
        : notAsked(`Slack answered ${asked.code}`);
    }
    const { message: found } = asked.value;
    if (found.subtype === 'tombstone') return { kind: 'gone', ts: timestamp };
    const botUserId = deps.botUserId();
    // Until the bot knows who it is, it cannot tell its own messages from others.
    if (botUserId === null) return notAsked('the bot does not know yet who it is in Slack');
    if (!isRequest(found, timestamp, request, botUserId)) {
      const { run, gate } = request;
      deps.log.warn({ run, gate, ts: timestamp }, 'what is noted as the message of a request is another one');
      return { kind: 'gone', ts: timestamp };
    }
    const given = found.reactions.flatMap(({ name, users }) => {
      const sign = signOf(name);
      if (sign === null) return [];
      return users.filter((user) => user !== botUserId).map((user): Given => ({ user, emoji: name, sign }));
    });
    return { kind: 'read', given };
  }

  async function withFiles(
    request: RequestRef,
    gateKey: string,
    message: PostedMessage,
  ): Promise<ReadOfMessage> {
    const read = await reactionsOn(request, message);
    if (read.kind !== 'read') return read;
    const asked = await deps.ask('conversations.replies', () => attached(gateKey, message));
    if (asked.kind === 'not_asked') return asked;
    if (asked.kind === 'refused' && asked.code === 'message_not_found')
      return { kind: 'gone', ts: message.ts };
    if (asked.kind === 'refused')
      return notAsked(`its thread could not be read (Slack answered ${asked.code})`);
    const files = asked.value;
    if (files === 'late') return notAsked('a file of it is not in its thread yet');
    return files === 'read' ? read : { kind: 'gone', ts: files.lost };
  }

  return async (request) => {
    const gateKey = gateMessageKey(request.run, request.gate);
    const message = await deps.posted.get(gateKey);
    if (message === undefined) return { kind: 'unposted' };
    const read = await withFiles(request, gateKey, message);
    if (read.kind !== 'not_asked') return read;
    deps.log.warn({ gateKey, why: read.why }, 'the reactions on a request could not be read');
    return { ...read, why: `the reactions on it could not be read (${read.why})` };
  };
}
