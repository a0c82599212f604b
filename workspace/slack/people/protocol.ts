import { z } from 'zod';
import { jsonObject } from '../json.js';

// What goes over the wire between people (tests, demo, benchmarks) and the stand-in. One entry for each thing
// that a person or the administrator of the workspace can do.

const done = z.object({ ok: z.literal(true) });

const reaction = z.object({ name: z.string(), users: z.array(z.string()) });

const file = z.object({
  id: z.string(),
  name: z.string(),
  title: z.string(),
  mimetype: z.string(),
  size: z.number(),
});

/** A message as somebody in the channel sees it. */
export const seenMessage = z.object({
  channel: z.string(),
  ts: z.string(),
  user: z.string(),
  text: z.string(),
  blocks: z.array(jsonObject),
  /** The first message of the thread that it replies to. */
  thread_ts: z.string().optional(),
  /** Timestamps of the replies to it, oldest first. */
  replies: z.array(z.string()),
  reactions: z.array(reaction),
  metadata: jsonObject.nullable(),
  edited: z.object({ user: z.string(), ts: z.string() }).nullable(),
  files: z.array(file),
});
export type SeenMessage = z.output<typeof seenMessage>;
export type SeenFile = z.output<typeof file>;

/** A message that only one person sees. */
export const seenEphemeral = z.object({
  channel: z.string(),
  ts: z.string(),
  to: z.string(),
  text: z.string(),
  blocks: z.array(jsonObject),
  via: z.enum(['command', 'response_url', 'postEphemeral']),
  /** The trigger of the command or action that it answers. */
  trigger_id: z.string().optional(),
  thread_ts: z.string().optional(),
});
export type SeenEphemeral = z.output<typeof seenEphemeral>;

/** A modal that a person has open, or their Home tab. */
export const seenView = z.object({
  id: z.string(),
  user: z.string(),
  hash: z.string(),
  view: jsonObject,
});
export type SeenView = z.output<typeof seenView>;

const change = z.object({
  seq: z.number(),
  kind: z.enum([
    'message',
    'message_changed',
    'message_deleted',
    'reaction_added',
    'reaction_removed',
    'ephemeral',
    'view',
    'home',
    'delivery',
    'sockets',
  ]),
  channel: z.string().optional(),
  ts: z.string().optional(),
  user: z.string().optional(),
  detail: z.string().optional(),
});
export type SeenChange = z.output<typeof change>;

const call = z.object({
  seq: z.number(),
  at: z.number(),
  method: z.string(),
  args: jsonObject,
  status: z.number(),
  result: z.string(),
});

/** Whether the app answered in time, and with what Slack would tell the person if it did not. */
const answered = z.object({
  ok: z.boolean(),
  error: z.string().optional(),
  trigger_id: z.string().optional(),
});

export const rateLimits = z.union([
  z.enum(['slack', 'off']),
  z.object({
    perMinute: z.record(z.string(), z.number()).optional(),
    postsPerSecond: z.number().optional(),
    postBurst: z.number().optional(),
  }),
]);

export const mode = z.union([z.literal('socket'), z.object({ http: z.url() })]);
export type Mode = z.output<typeof mode>;

const about = { user: z.string() };
const place = { channel: z.string(), ts: z.string() };

export const protocol = {
  /** Types something: a command when it starts with a slash, otherwise a message. */
  say: {
    in: z.object({ ...about, channel: z.string(), text: z.string(), thread_ts: z.string().optional() }),
    out: answered.extend({
      ts: z.string().optional(),
      /** What came back with the acknowledgement; answers by response_url come later, see `ephemerals`. */
      responses: z.array(seenEphemeral),
    }),
  },
  react: { in: z.object({ ...about, ...place, emoji: z.string() }), out: done },
  unreact: { in: z.object({ ...about, ...place, emoji: z.string() }), out: done },
  /** Presses a button or picks from a menu: in a message (ts), an ephemeral (ts) or a view (view_id). */
  press: {
    in: z.object({
      ...about,
      channel: z.string().optional(),
      ts: z.string().optional(),
      view_id: z.string().optional(),
      action_id: z.string(),
      block_id: z.string().optional(),
      value: z.string().optional(),
    }),
    out: answered,
  },
  /** Submits a modal. `values` by action_id, or by block_id and then action_id. */
  submit: {
    in: z.object({ ...about, view_id: z.string(), values: jsonObject.default({}) }),
    out: answered.extend({
      /** What the modal shows beside its inputs, by block_id. */
      errors: z.record(z.string(), z.string()).optional(),
      closed: z.boolean(),
    }),
  },
  closeView: { in: z.object({ ...about, view_id: z.string() }), out: answered },
  openHome: { in: z.object(about), out: z.object({ home: seenView.nullable() }) },
  read: { in: z.object({ channel: z.string() }), out: z.object({ messages: z.array(seenMessage) }) },
  ephemerals: {
    in: z.object({ ...about, trigger_id: z.string().optional() }),
    out: z.object({ ephemerals: z.array(seenEphemeral) }),
  },
  views: { in: z.object(about), out: z.object({ views: z.array(seenView), home: seenView.nullable() }) },
  file: { in: z.object({ id: z.string() }), out: file.extend({ content: z.base64() }) },
  since: {
    in: z.object({ cursor: z.number().default(0), wait_ms: z.number().max(60_000).default(0) }),
    out: z.object({ cursor: z.number(), changes: z.array(change) }),
  },

  // The workspace's administrator, and the weather.
  setUser: {
    in: z.object({
      ...about,
      name: z.string().optional(),
      deleted: z.boolean().optional(),
      isBot: z.boolean().optional(),
      isRestricted: z.boolean().optional(),
      isUltraRestricted: z.boolean().optional(),
      isStranger: z.boolean().optional(),
      teamId: z.string().optional(),
    }),
    out: done,
  },
  setGroup: {
    in: z.object({
      group: z.string(),
      handle: z.string().optional(),
      users: z.array(z.string()).optional(),
      disabled: z.boolean().optional(),
    }),
    out: done,
  },
  setPlan: { in: z.object({ paid: z.boolean() }), out: done },
  setChannel: {
    in: z.object({
      channel: z.string(),
      isArchived: z.boolean().optional(),
      isExtShared: z.boolean().optional(),
      isPrivate: z.boolean().optional(),
    }),
    out: done,
  },
  /** Anybody's message, as an administrator or a rule of retention does it. */
  deleteMessage: { in: z.object({ channel: z.string(), ts: z.string() }), out: done },
  /** Anybody's file; the messages that share it stay, with a tombstone of it. */
  deleteFile: { in: z.object({ id: z.string() }), out: done },
  join: { in: z.object({ ...about, channel: z.string() }), out: done },
  leave: { in: z.object({ ...about, channel: z.string() }), out: done },
  /** Where the app takes deliveries. For http, Slack's challenge is sent first and must come back. */
  setMode: { in: z.object({ mode }), out: done },
  /** `503`: every call is answered so. `drop`: every connection is cut. Sockets are cut in both. */
  outage: { in: z.object({ mode: z.enum(['off', '503', 'drop']) }), out: done },
  dropSockets: {
    in: z.object({ how: z.enum(['cut', 'warning', 'refresh_requested', 'link_disabled']).default('cut') }),
    out: done,
  },
  setRateLimits: { in: z.object({ limits: rateLimits }), out: done },
  /** The next calls of a method fail: see `Failure` for what can be named. */
  failNext: {
    in: z.object({ method: z.string(), failure: z.string(), count: z.number().int().min(1).default(1) }),
    out: done,
  },
  redeliver: { in: z.object({ count: z.number().int().min(1).default(1) }), out: done },
  calls: {
    in: z.object({ since: z.number().default(0), method: z.string().optional() }),
    out: z.object({ calls: z.array(call) }),
  },
  deliveries: {
    in: z.object({}),
    out: z.object({
      sockets: z.number(),
      events: z.array(
        z.object({
          eventId: z.string(),
          type: z.string(),
          attempts: z.array(z.string()),
          payload: jsonObject,
        }),
      ),
    }),
  },
} as const;

export type Protocol = typeof protocol;
/** The name of something that can be done. */
export type Verb = keyof Protocol;
/** What the caller gives. */
export type Given<V extends Verb> = z.input<Protocol[V]['in']>;
/** What the stand-in gets after parsing. */
export type Taken<V extends Verb> = z.output<Protocol[V]['in']>;
/** What comes back. */
export type Got<V extends Verb> = z.output<Protocol[V]['out']>;

/** The protocol, typed so that a function generic in the verb can parse with it. */
export const shapes: { [V in Verb]: { in: z.ZodType<Taken<V>>; out: z.ZodType<Got<V>> } } = protocol;
