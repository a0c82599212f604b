import { z } from 'zod';
import { SlackError } from '../errors.js';
import { fileToWire } from '../files.js';
import { post } from '../messages.js';
import { APP } from '../people.js';
import { newId } from '../world.js';
import { messageBlocks, threadParent, writableChannel } from './checks.js';
import { int, json, type Method, method, str, TIER } from './method.js';

/** Slack takes files of up to 1 GB; the stand-in keeps them in memory. */
const MAX_FILE = 64 * 1024 * 1024;

const getUploadUrl = method('files.getUploadURLExternal', {
  scopes: ['files:write'],
  limit: TIER.four,
  args: z.object({
    filename: str.default(''),
    length: int,
    alt_text: str.optional(),
    snippet_type: str.optional(),
  }),
  run(args, { world, origin }) {
    if (args.filename === '') throw new SlackError('invalid_arguments');
    if (args.length <= 0) throw new SlackError('missing_argument');
    if (args.length > MAX_FILE) throw new SlackError('file_upload_size_restricted');
    const id = newId('F0');
    world.files.set(id, {
      id,
      name: args.filename,
      title: args.filename,
      length: args.length,
      content: Buffer.alloc(0),
      ...(args.snippet_type === undefined ? {} : { snippetType: args.snippet_type }),
      ...(args.alt_text === undefined ? {} : { altText: args.alt_text }),
      state: 'announced',
      createdAt: world.now(),
      shares: [],
    });
    return { upload_url: `${origin()}/upload/v1/${id}`, file_id: id };
  },
});

const fileList = z
  .array(z.object({ id: z.string(), title: z.string().optional(), highlight_type: z.string().optional() }))
  .min(1);

const complete = method('files.completeUploadExternal', {
  scopes: ['files:write'],
  limit: TIER.four,
  args: z.object({
    files: json.pipe(fileList),
    channel_id: str.optional(),
    channels: str.optional(),
    thread_ts: str.optional(),
    initial_comment: str.optional(),
    blocks: json.optional(),
  }),
  run(args, context) {
    const { world } = context;
    const files = args.files.map(({ id, title }) => {
      const file = world.files.get(id);
      if (file === undefined || file.state !== 'uploaded') throw new SlackError('file_not_found');
      return { file, title };
    });
    const target = args.channel_id ?? args.channels;
    if (target === undefined && args.thread_ts !== undefined) throw new SlackError('invalid_arguments');
    const channel = target === undefined ? undefined : writableChannel(context, target);
    // A file goes under a thread's first message; a reply's own timestamp is not a thread.
    const parent =
      channel !== undefined && args.thread_ts !== undefined
        ? threadParent(context, channel.id, args.thread_ts)
        : undefined;
    const blocks = messageBlocks(args.blocks);
    for (const { file, title } of files) {
      file.state = 'complete';
      if (title !== undefined) file.title = title;
    }
    if (channel !== undefined) {
      const thread = parent === undefined ? {} : { threadTs: parent.ts };
      const message = post(world, {
        channel: channel.id,
        user: APP.userId,
        text: args.initial_comment ?? '',
        blocks,
        files: files.map(({ file }) => file.id),
        ...thread,
      });
      for (const { file } of files) file.shares.push({ channel: channel.id, ts: message.ts, ...thread });
    }
    // Slack shares files a moment after it answers, so the answer never holds the shares.
    return { files: files.map(({ file }) => ({ ...fileToWire(file), channels: [], shares: {} })) };
  },
});

const info = method('files.info', {
  scopes: ['files:read'],
  limit: TIER.four,
  args: z.object({ file: str.default('') }),
  run(args, { world }) {
    const file = world.files.get(args.file);
    if (file === undefined || file.state !== 'complete') throw new SlackError('file_not_found');
    return { file: fileToWire(file), comments: [], response_metadata: { next_cursor: '' } };
  },
});

/** Files, as filesUploadV2 sends them. */
export const fileMethods: readonly Method[] = [getUploadUrl, complete, info];
