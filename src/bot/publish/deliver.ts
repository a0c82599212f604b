import { createHash } from 'node:crypto';
import { type Slack, SlackCallError } from '../../clients/slack.js';
import type { Posted, PostedMessage } from '../../store/posted.js';
import type { Log } from '../log.js';
import { type Rendered, withoutBlocks } from '../render/message.js';
import { findMessage, postMessage, updateMessage } from '../slack-calls.js';
import { undeliveredKey } from './keys.js';
import type { MessageOperation } from './operation.js';
import type { Pacer } from './pacer.js';
import { isGone, remedyFor } from './slack-errors.js';
import { RESERVE, type Timing } from './timing.js';
import { createTrying } from './trying.js';

export interface DeliverDeps {
  readonly slack: Slack;
  readonly posted: Posted;
  readonly pacer: Pacer;
  readonly log: Log;
  readonly timing: Timing;
  readonly redact: (text: string) => string;
}

export interface DeliverOptions {
  /** Somebody may have posted it already without being able to note it: look before posting. */
  readonly doubtful: boolean;
  readonly urgent: boolean;
  readonly signal: AbortSignal;
}

/** The journal position that the message in Slack tells of; it may be less or more than was asked for. */
export interface Delivered {
  readonly through: number;
}

export type Deliver = (operation: MessageOperation, options: DeliverOptions) => Promise<Delivered>;

/** conversations.history and conversations.replies: Slack takes 50 a minute. */
export const LOOKS = { burst: 10, everyMs: 1_500 };

/** Clocks of Slack and of the database may differ by this much, ms. */
export const CLOCK_SLACK = 10 * 60_000;

/**
 * Makes a message stand in Slack exactly once, and notes where. Waits out rate limits and outages for as
 * long as they last; only Slack's no to the message or to its place ends the trying, and that is recorded.
 */
export function createDeliver(deps: DeliverDeps): Deliver {
  const { slack, posted, pacer, log, timing } = deps;
  const trying = createTrying(log, timing);

  /** Notes the message as asked for, also when Slack took it only as text: asking again would not help. */
  async function remember({ key, channel, message, origin }: MessageOperation, ts: string) {
    await posted.put({ key, channel, ts, hash: hashOf(message), position: origin.through });
  }

  async function giveUp(
    operation: MessageOperation,
    code: string,
    options: DeliverOptions,
  ): Promise<Delivered> {
    const { key, channel, origin } = operation;
    log.error(
      { key, channel, code },
      'a message cannot be delivered to Slack; the journal has what it tells',
    );
    await posted.put({
      key: undeliveredKey(key),
      channel,
      ts: '',
      hash: code,
      position: origin.position,
    });
    if (operation.otherwise !== undefined) return deliver(operation.otherwise(code), options);
    return { through: origin.through };
  }

  async function post(operation: MessageOperation, options: DeliverOptions): Promise<Delivered> {
    const { channel, key, origin } = operation;
    const parent = operation.parent === undefined ? undefined : await posted.get(operation.parent);
    if (operation.parent !== undefined && parent === undefined)
      return giveUp(operation, 'no_thread', options);
    const place = { channel, threadTs: parent?.ts, broadcast: operation.broadcast ?? false };
    const reserve = options.urgent ? 0 : RESERVE;
    let shown = operation.message;
    let doubtful = options.doubtful;
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (doubtful) {
          await pacer.take('look', LOOKS, 0, options.signal);
          const found = await findMessage(slack, place, key, origin.at - CLOCK_SLACK);
          if (found !== undefined) {
            const through = Math.max(origin.position, found.through);
            // What it shows is not known exactly; a message that is kept current is updated once more.
            await posted.put({ key, channel, ts: found.ts, hash: '', position: through });
            return operation.mode === 'current'
              ? deliver(operation, { ...options, doubtful: false })
              : { through };
          }
          doubtful = false;
        }
        await pacer.take(`post:${channel}`, timing.posts, reserve, options.signal);
        const mark = {
          key,
          stream: origin.stream,
          version: origin.version,
          through: origin.through,
        };
        const ts = await postMessage(slack, place, shown, mark);
        await remember(operation, ts);
        return { through: origin.through };
      } catch (error) {
        if (!(error instanceof SlackCallError)) throw error;
        const { failure } = error;
        if (failure.kind === 'refused' && remedyFor(failure.code) !== 'wait') {
          const plain = withoutBlocks(shown);
          if (remedyFor(failure.code) === 'give-up' || shown.blocks.length === 0) {
            return giveUp(operation, failure.code, options);
          }
          log.warn({ key, why: error.message }, 'Slack refused the blocks of a message; sending its text');
          shown = plain;
          continue;
        }
        if (failure.kind === 'limited') {
          const posting = error.method === 'chat.postMessage';
          pacer.pause(posting ? `post:${channel}` : 'look', failure.retryAfterMs);
        } else {
          // An answer that never came says nothing about whether the message stands in the channel.
          doubtful = doubtful || failure.kind === 'ambiguous';
          await trying.pause(attempt, error, options.signal);
        }
      }
    }
  }

  async function update(
    operation: MessageOperation,
    known: PostedMessage,
    options: DeliverOptions,
  ): Promise<Delivered> {
    const { key, origin } = operation;
    const reserve = options.urgent ? 0 : RESERVE;
    let shown = operation.message;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await pacer.take('chat.update', timing.updates, reserve, options.signal);
        await updateMessage(slack, known, shown);
        await remember(operation, known.ts);
        return { through: origin.through };
      } catch (error) {
        if (!(error instanceof SlackCallError)) throw error;
        const { failure } = error;
        if (failure.kind === 'refused' && isGone(failure.code)) {
          log.warn({ key }, 'a message was deleted in Slack; posting it again');
          return post(operation, options);
        }
        if (failure.kind === 'refused' && remedyFor(failure.code) !== 'wait') {
          if (remedyFor(failure.code) === 'give-up' || shown.blocks.length === 0) {
            return giveUp(operation, failure.code, options);
          }
          log.warn({ key, why: error.message }, 'Slack refused the blocks of an update; sending its text');
          shown = withoutBlocks(shown);
          continue;
        }
        if (failure.kind === 'limited') pacer.pause('chat.update', failure.retryAfterMs);
        else await trying.pause(attempt, error, options.signal);
      }
    }
  }

  async function deliver(operation: MessageOperation, options: DeliverOptions): Promise<Delivered> {
    const known = await posted.get(operation.key);
    if (known === undefined) return post(operation, options);
    if (operation.mode === 'once') return { through: known.position };
    const newer = known.position > operation.origin.through;
    if (newer || known.hash === hashOf(operation.message)) return { through: operation.origin.through };
    return update(operation, known, options);
  }

  return deliver;
}

function hashOf(shown: Rendered): string {
  return createHash('sha256').update(JSON.stringify(shown)).digest('hex');
}
