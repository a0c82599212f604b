import { mimetypeOf } from '../files.js';
import { repliesTo } from '../messages.js';
import type { Ephemeral, Message, OpenView, StoredFile } from '../model.js';
import type { World } from '../world.js';
import type { SeenEphemeral, SeenFile, SeenMessage, SeenView } from './protocol.js';

/** A file as people see it. */
export function fileSeen(file: StoredFile): SeenFile {
  return {
    id: file.id,
    name: file.name,
    title: file.title,
    mimetype: mimetypeOf(file.name),
    size: file.content.length,
  };
}

/** A message as people see it. */
export function messageSeen(world: World, message: Message): SeenMessage {
  return {
    channel: message.channel,
    ts: message.ts,
    user: message.user,
    text: message.text,
    blocks: message.blocks,
    ...(message.threadTs === undefined ? {} : { thread_ts: message.threadTs }),
    replies: repliesTo(world, message).map((r) => r.ts),
    reactions: message.reactions,
    metadata: message.metadata ?? null,
    edited: message.edited ?? null,
    files: message.files.flatMap((id) => {
      const file = world.files.get(id);
      return file === undefined || file.state === 'deleted' ? [] : [fileSeen(file)];
    }),
  };
}

/** An ephemeral message as its reader sees it. */
export function ephemeralSeen(ephemeral: Ephemeral): SeenEphemeral {
  const { channel, ts, to, text, blocks, via } = ephemeral;
  return {
    channel,
    ts,
    to,
    text,
    blocks,
    via,
    ...(ephemeral.triggerId === undefined ? {} : { trigger_id: ephemeral.triggerId }),
    ...(ephemeral.threadTs === undefined ? {} : { thread_ts: ephemeral.threadTs }),
  };
}

/** A modal or Home tab as its reader sees it. */
export function viewSeen({ id, user, hash, view }: OpenView): SeenView {
  return { id, user, hash, view };
}
