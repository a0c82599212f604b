import { SlackCallError } from '../../clients/slack.js';
import type { PostedMessage } from '../../store/posted.js';
import { line, visible } from '../render/escape.js';
import { message, section } from '../render/message.js';
import { findFile, type Place } from '../slack-calls.js';
import {
  CLOCK_SLACK,
  type Deliver,
  type DeliverDeps,
  type Delivered,
  type DeliverOptions,
  LOOKS,
} from './deliver.js';
import { fileParts } from './file-parts.js';
import { FILE_TS, undeliveredKey } from './keys.js';
import type { FileOperation } from './operation.js';
import { fileTroubleOf } from './slack-errors.js';
import { RESERVE } from './timing.js';

export type DeliverFile = (operation: FileOperation, options: DeliverOptions) => Promise<Delivered>;

/**
 * Shares a file in a thread once: one whose sharing ended without an answer is looked for by its name. Where Slack
 * takes no files, what people need before they answer is posted as messages; the rest waits, and its thread is told.
 */
export function createDeliverFile(deps: DeliverDeps & { readonly deliver: Deliver }): DeliverFile {
  const { slack, posted, pacer, log, timing, trying, redact, deliver } = deps;

  async function note(operation: FileOperation, ts: string): Promise<Delivered> {
    const { key, channel, origin } = operation;
    await posted.put({ key, channel, ts, hash: '', position: origin.position });
    return { kind: 'stands', through: origin.position };
  }

  /** Nothing can be shared: the file is gone, or Slack will never take this one. */
  async function giveUp(operation: FileOperation, code: string): Promise<Delivered> {
    const { key, channel, origin, filename } = operation;
    log.error({ key, filename, code }, 'a file cannot be shared in Slack');
    await posted.put({ key: undeliveredKey(key), channel, ts: '', hash: code, position: origin.position });
    return { kind: 'stands', through: origin.position };
  }

  /** Slack takes no files now. */
  async function withoutFiles(
    operation: FileOperation,
    content: string,
    code: string,
    options: DeliverOptions,
  ): Promise<Delivered> {
    const parts = operation.needed ? fileParts(operation, content) : null;
    if (parts === null) {
      const told = await deliver(missing(operation, code), options);
      return told.kind === 'closed' ? told : { kind: 'closed', channel: operation.channel, code };
    }
    log.warn(
      { key: operation.key, code, parts: parts.length },
      'Slack takes no files; posting it as messages',
    );
    for (const part of parts) {
      const told = await deliver(part, options);
      if (told.kind === 'closed') return told;
    }
    return note(operation, FILE_TS.parts);
  }

  /** Shares it, or answers why not; undefined: try again. */
  async function share(
    operation: FileOperation,
    content: string,
    place: Place,
    options: DeliverOptions,
  ): Promise<Delivered> {
    const { filename, title, channel, origin } = operation;
    let { threadTs } = place;
    let doubtful = options.doubtful;
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (doubtful) {
          await pacer.take('look', LOOKS, 0, options.signal);
          const found = await findFile(slack, { channel, threadTs }, filename, origin.at - CLOCK_SLACK);
          if (found !== undefined) return note(operation, placed(found, threadTs));
          doubtful = false;
        }
        await pacer.take('files', timing.posts, options.urgent ? 0 : RESERVE, options.signal);
        const thread = threadTs === undefined ? {} : { threadTs };
        const id = await slack.share({ channel, ...thread, filename, title: title.slice(0, 200), content });
        return note(operation, placed(id, threadTs));
      } catch (error) {
        if (!(error instanceof SlackCallError)) throw error;
        const { failure } = error;
        if (failure.kind === 'limited') {
          pacer.pause(error.method === 'files.uploadV2' ? 'files' : 'look', failure.retryAfterMs);
          continue;
        }
        const trouble = failure.kind === 'refused' ? fileTroubleOf(failure.code) : 'whole';
        if (failure.kind !== 'refused' || trouble === 'whole') {
          doubtful = doubtful || failure.kind === 'ambiguous';
          await trying.pause(attempt, error, options.signal);
          continue;
        }
        const { code } = failure;
        if (trouble === 'file') return giveUp(operation, code);
        if (trouble === 'files') return withoutFiles(operation, content, code, options);
        if (trouble === 'channel' || threadTs === undefined) return { kind: 'closed', channel, code };
        log.warn({ key: operation.key, code }, 'a thread takes no file; sharing it in the channel');
        threadTs = undefined;
      }
    }
  }

  return async function deliverFile(operation, options) {
    const { key, channel } = operation;
    const known: PostedMessage | undefined = await posted.get(key);
    if (known !== undefined) return { kind: 'stands', through: operation.origin.position };
    const parent = await posted.get(operation.parent);
    const read = await operation.content();
    const content = read === null ? '' : visible(redact(read));
    if (content.trim() === '') return giveUp(operation, 'no_content');
    const threadTs = parent?.channel === channel ? parent.ts : undefined;
    return share(operation, content, { channel, threadTs }, options);
  };
}

const placed = (id: string, threadTs: string | undefined) => (threadTs === undefined ? FILE_TS.channel : id);

/** Says in the thread that a file is missing, so that nobody waits for it. */
function missing(operation: FileOperation, code: string) {
  const { key, channel, parent, origin, title } = operation;
  const text = `⚠️ ${line(title)}: the file is missing, for Slack takes no files from the bot (${line(code)}). It follows once Slack does. \`m10bot doctor\` shows whether the scope files:write is missing.`;
  return {
    key: `${key}:missing`,
    channel,
    parent,
    message: message(text, [section(text)]),
    mode: 'once' as const,
    origin: { ...origin, through: origin.position },
  };
}
