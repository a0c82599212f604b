import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type ParsedCommand, parse } from '../commands/parse.js';
import { isLook, wrongChannel } from '../commands/run-command.js';
import type { Queue } from './queues.js';
import { promptActionOf } from './render/prompt-value.js';
import { signOf } from './signs.js';
import { SKIP_MODAL, skipReason } from './skip-modal.js';

/** What is kept of a delivery until it is handled: no more than its handling needs. */
export const Inbound = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('command'),
    user: z.string(),
    channel: z.string(),
    text: z.string(),
    response_url: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal('reaction'),
    user: z.string(),
    channel: z.string(),
    ts: z.string(),
    emoji: z.string(),
    added: z.boolean(),
  }),
  z.strictObject({
    kind: z.literal('button'),
    user: z.string(),
    channel: z.string(),
    action: z.string(),
    value: z.string(),
    response_url: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal('skip'),
    user: z.string(),
    /** What the skip button carried. */
    value: z.string(),
    reason: z.string(),
  }),
]);
export type Inbound = z.infer<typeof Inbound>;

/** A delivery that this bot has something to do with. */
export interface Arrival {
  /** Slack's identity of the delivery. A trigger lets its reader act in Slack, so its digest stands for it. */
  readonly key: string;
  readonly inbound: Inbound;
  /**
   * What one person asks for in one channel is handled in order, and so are one person's signs on one message; a stop
   * waits for nothing.
   */
  readonly lane: string | null;
  readonly queue: Queue;
  /** A command that is answered in the acknowledgement, and needs no handling afterwards. */
  readonly look: ParsedCommand | null;
}

const CommandBody = z.object({
  command: z.string(),
  text: z.string().default(''),
  user_id: z.string(),
  channel_id: z.string(),
  trigger_id: z.string(),
  response_url: z.string().optional(),
});

const ReactionBody = z.object({
  event_id: z.string(),
  event: z.object({
    type: z.enum(['reaction_added', 'reaction_removed']),
    user: z.string(),
    reaction: z.string(),
    item: z.object({ type: z.literal('message'), channel: z.string(), ts: z.string() }),
  }),
});

const ButtonBody = z.object({
  type: z.literal('block_actions'),
  user: z.object({ id: z.string() }),
  channel: z.object({ id: z.string() }).optional(),
  trigger_id: z.string(),
  response_url: z.string().optional(),
  actions: z.tuple([
    z.object({ action_id: z.string(), value: z.string().default(''), action_ts: z.string().default('') }),
  ]),
});

const ViewBody = z.object({
  type: z.literal('view_submission'),
  user: z.object({ id: z.string() }),
  view: z.object({
    id: z.string(),
    hash: z.string().default(''),
    callback_id: z.literal(SKIP_MODAL),
    private_metadata: z.string(),
    state: z.object({
      values: z.record(z.string(), z.record(z.string(), z.looseObject({ value: z.string().nullish() }))),
    }),
  }),
});

const laneOf = (channel: string, user: string) => `${channel}:${user}`;
const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 40);

/** Reads what Slack delivered; null for everything that this bot does nothing about. */
export function readArrival(body: unknown, incidentChannel: string): Arrival | null {
  return (
    readCommand(body, incidentChannel) ??
    readReaction(body, incidentChannel) ??
    readButton(body, incidentChannel) ??
    readView(body, incidentChannel)
  );
}

function readCommand(body: unknown, incidentChannel: string): Arrival | null {
  const { success, data } = CommandBody.safeParse(body);
  if (!success) return null;
  const { user_id: user, channel_id: channel, text, response_url } = data;
  const parsed = parse(text);
  // A stored reason is cut by the parser; no more of a text than a command can use is kept.
  const kept = text.slice(0, 8_000);
  const here =
    parsed.kind === 'command' && wrongChannel(parsed.command, channel, incidentChannel) === undefined;
  const stops = parsed.kind === 'command' && parsed.command.name === 'stop';
  const orders = parsed.kind === 'command' && !stops;
  return {
    key: `command:${digest(data.trigger_id)}`,
    lane: orders ? laneOf(channel, user) : null,
    queue: stops ? 'stop' : 'order',
    inbound: {
      kind: 'command',
      user,
      channel,
      text: kept,
      ...(response_url === undefined ? {} : { response_url }),
    },
    look: here && isLook(parsed.command) ? parsed.command : null,
  };
}

function readReaction(body: unknown, incidentChannel: string): Arrival | null {
  const { success, data } = ReactionBody.safeParse(body);
  if (!success) return null;
  const { type, user, reaction: emoji, item } = data.event;
  // Most reactions of a channel mean nothing here.
  const sign = signOf(emoji);
  if (item.channel !== incidentChannel || sign === null) return null;
  // Taking a stop's emoji back starts nothing again, and is no hurry.
  const stops = sign === 'stop' && type === 'reaction_added';
  return {
    key: `event:${data.event_id}`,
    // Given and taken back again and again: the last one counts, so it must be the last one that is handled.
    lane: stops ? null : `${laneOf(item.channel, user)}:${item.ts}`,
    queue: stops ? 'stop-sign' : 'reaction',
    inbound: {
      kind: 'reaction',
      user,
      channel: item.channel,
      ts: item.ts,
      emoji,
      added: type === 'reaction_added',
    },
    look: null,
  };
}

function readButton(body: unknown, incidentChannel: string): Arrival | null {
  const { success, data } = ButtonBody.safeParse(body);
  if (!success) return null;
  const [{ action_id, action_ts, value }] = data.actions;
  const action = promptActionOf(action_id);
  if (action === null) return null;
  const stops = action === 'stop';
  return {
    lane: stops ? null : laneOf(data.channel?.id ?? incidentChannel, data.user.id),
    queue: stops ? 'stop' : 'order',
    key: `button:${digest(data.trigger_id)}:${action_ts}`,
    inbound: {
      kind: 'button',
      user: data.user.id,
      channel: data.channel?.id ?? '',
      action: action_id,
      value,
      ...(data.response_url === undefined ? {} : { response_url: data.response_url }),
    },
    look: null,
  };
}

function readView(body: unknown, incidentChannel: string): Arrival | null {
  const { success, data } = ViewBody.safeParse(body);
  if (!success) return null;
  const reason = skipReason(data.view.state.values);
  // Answered with a complaint instead, and sent again by the person.
  if (reason === '') return null;
  return {
    key: `view:${data.view.id}:${data.view.hash}`,
    lane: laneOf(incidentChannel, data.user.id),
    queue: 'order',
    inbound: { kind: 'skip', user: data.user.id, value: data.view.private_metadata, reason },
    look: null,
  };
}
