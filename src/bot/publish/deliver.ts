import { createHash } from 'node:crypto';
import { type Slack, SlackCallError } from '../../clients/slack.js';
import type { Posted, PostedMessage } from '../../store/posted.js';
import type { Log } from '../log.js';
import type { Rendered } from '../render/message.js';
import { findMessage, type MessageMark, type Place, postMessage, updateMessage } from '../slack-calls.js';
import { type Form, outOfThread, plainer } from './forms.js';
import { undeliveredKey } from './keys.js';
import type { MessageOperation } from './operation.js';
import type { Pacer } from './pacer.js';
import { troubleOf } from './slack-errors.js';
import { RESERVE, type Timing } from './timing.js';
import type { Trying } from './trying.js';

export interface DeliverDeps {
  readonly slack: Slack;
  readonly posted: Posted;
  readonly pacer: Pacer;
  readonly log: Log;
  readonly timing: Timing;
  readonly trying: Trying;
  readonly redact: (text: string) => string;
}

export interface DeliverOptions {
  /** Somebody may have posted it already without being able to note it: look before posting. */
  readonly doubtful: boolean;
  readonly urgent: boolean;
  readonly signal: AbortSignal;
}

export type Delivered =
  /** The journal position that the message in Slack tells of; it may be less or more than was asked for. */
  | { readonly kind: 'stands'; readonly through: number }
  /** The channel takes nothing now. Nothing was posted. */
  | { readonly kind: 'closed'; readonly channel: string; readonly code: string };

export type Deliver = (operation: MessageOperation, options: DeliverOptions) => Promise<Delivered>;

/** conversations.history and conversations.replies: Slack takes 50 a minute. */
export const LOOKS = { burst: 10, everyMs: 1_500 };

/** Clocks of Slack and of the database may differ by this much, ms. */
export const CLOCK_SLACK = 10 * 60_000;

/**
 * Makes a message stand in Slack exactly once, and notes where. Waits out rate limits and outages for as long as
 * they last. A channel that takes nothing is the caller's to wait for; a thread that is gone is left for the
 * channel; a form that Slack refuses becomes plainer. What it takes in no form is recorded.
 */
export function createDeliver(deps: DeliverDeps): Deliver {
  const { slack, posted, pacer, log, timing, trying } = deps;

  const stands = (through: number): Delivered => ({ kind: 'stands', through });

  /** Notes the message as asked for, also when Slack took it only as text: asking again would not help. */
  async function remember({ key, channel, message, origin }: MessageOperation, ts: string) {
    await posted.put({ key, channel, ts, hash: hashOf(message), position: origin.through });
    return stands(origin.through);
  }

  /** Only a stub of it stands, or nothing: it is recorded under a key of its own, so that nobody answers it. */
  async function giveUp({ key, channel, origin }: MessageOperation, ts: string, code: string) {
    log.error({ key, channel, code }, 'Slack takes a message in no form; the journal has what it tells');
    await posted.put({ key: undeliveredKey(key), channel, ts, hash: code, position: origin.position });
    return stands(origin.through);
  }

  /** Whether the place of a message that changes is taken by a stub already. */
  const stubbed = async (key: string) => ((await posted.get(undeliveredKey(key)))?.ts ?? '') !== '';

  /** After a call that gave no answer that can be used: waits until the next try. */
  async function wait(
    error: SlackCallError,
    { bucket, attempt, signal }: { bucket: string; attempt: number; signal: AbortSignal },
  ) {
    if (error.failure.kind === 'limited') pacer.pause(bucket, error.failure.retryAfterMs);
    else await trying.pause(attempt, error, signal);
  }

  /** The message, if it stands in Slack already without having been noted. */
  async function found(operation: MessageOperation, place: Place, options: DeliverOptions) {
    const { origin, key, channel, mode } = operation;
    await pacer.take('look', LOOKS, 0, options.signal);
    const seen = await findMessage(slack, place, key, origin.at - CLOCK_SLACK);
    if (seen === undefined) return undefined;
    const through = Math.max(origin.position, seen.through);
    // What it shows is not known exactly; a message that is kept current is updated once more.
    await posted.put({ key, channel, ts: seen.ts, hash: '', position: through });
    return mode === 'once' ? stands(through) : deliver(operation, { ...options, doubtful: false });
  }

  async function post(operation: MessageOperation, options: DeliverOptions): Promise<Delivered> {
    const { channel, key, origin } = operation;
    const parent = operation.parent === undefined ? undefined : await posted.get(operation.parent);
    let threadTs = parent?.channel === channel ? parent.ts : undefined;
    let message = operation.message;
    if (operation.parent !== undefined && threadTs === undefined) {
      message = outOfThread(message, operation.parent);
    }
    let form: Form = { shown: message, stub: false };
    let reason = '';
    let doubtful = options.doubtful;
    for (let attempt = 1; ; attempt += 1) {
      const place = { channel, threadTs, broadcast: operation.broadcast ?? false };
      try {
        if (doubtful) {
          const seen = await found(operation, place, options);
          if (seen !== undefined) return seen;
          doubtful = false;
        }
        await pacer.take(`post:${channel}`, timing.posts, options.urgent ? 0 : RESERVE, options.signal);
        const ts = await postMessage(slack, place, form.shown, markOf(operation, form));
        return form.stub ? giveUp(operation, ts, reason) : remember(operation, ts);
      } catch (error) {
        if (!(error instanceof SlackCallError)) throw error;
        const { failure } = error;
        const trouble = failure.kind === 'refused' ? troubleOf(failure.code) : 'whole';
        if (failure.kind !== 'refused' || trouble === 'whole') {
          // An answer that never came says nothing about whether the message stands in the channel.
          doubtful = doubtful || failure.kind === 'ambiguous';
          const bucket = error.method === 'chat.postMessage' ? `post:${channel}` : 'look';
          await wait(error, { bucket, attempt, signal: options.signal });
          continue;
        }
        reason = reason === '' ? failure.code : reason;
        if (threadTs !== undefined && trouble === 'thread') {
          log.warn({ key, code: failure.code }, 'a thread takes no reply; posting it into the channel');
          threadTs = undefined;
          form = { ...form, shown: outOfThread(form.shown, operation.parent ?? '') };
          continue;
        }
        const next = trouble === 'channel' ? undefined : plainer(form, key, reason);
        if (next?.stub === true && (await stubbed(key))) return stands(origin.through);
        if (next === undefined) return refused(operation, failure.code, options);
        log.warn({ key, why: error.message }, 'Slack refused the form of a message; trying a plainer one');
        form = next;
      }
    }
  }

  /** Not in this channel, or not now. */
  async function refused(
    operation: MessageOperation,
    code: string,
    options: DeliverOptions,
  ): Promise<Delivered> {
    const { key, channel, otherwise } = operation;
    if (troubleOf(code) === 'form') return giveUp(operation, '', code);
    if (otherwise === undefined) return { kind: 'closed', channel, code };
    log.warn({ key, channel, code }, 'a channel does not take a message; it goes elsewhere');
    return deliver(otherwise(code), options);
  }

  async function update(
    operation: MessageOperation,
    known: PostedMessage,
    options: DeliverOptions,
  ): Promise<Delivered> {
    const { key, channel } = operation;
    const reserve = options.urgent ? 0 : RESERVE;
    let form: Form = { shown: operation.message, stub: false };
    for (let attempt = 1; ; attempt += 1) {
      try {
        await pacer.take('chat.update', timing.updates, reserve, options.signal);
        await updateMessage(slack, known, form.shown);
        return remember(operation, known.ts);
      } catch (error) {
        if (!(error instanceof SlackCallError)) throw error;
        const { failure } = error;
        const trouble = failure.kind === 'refused' ? troubleOf(failure.code) : 'whole';
        if (failure.kind !== 'refused' || trouble === 'whole') {
          await wait(error, { bucket: 'chat.update', attempt, signal: options.signal });
          continue;
        }
        if (trouble === 'message') {
          log.warn({ key, code: failure.code }, 'a message can be changed no more; posting it again');
          return post(operation, options);
        }
        const next = plainer(form, key, failure.code);
        if (trouble === 'channel' || next === undefined) {
          return { kind: 'closed', channel, code: failure.code };
        }
        // A stub in the place of what it said would take more away than it tells: posted anew, it decides itself.
        if (next.stub) return post(operation, options);
        log.warn({ key, why: error.message }, 'Slack refused the form of an update; sending its text');
        form = next;
      }
    }
  }

  async function deliver(operation: MessageOperation, options: DeliverOptions): Promise<Delivered> {
    const known = await posted.get(operation.key);
    if (known === undefined) return post(operation, options);
    if (operation.mode === 'once') return stands(known.position);
    const newer = known.position > operation.origin.through;
    if (newer || known.hash === hashOf(operation.message)) return stands(operation.origin.through);
    return update(operation, known, options);
  }

  return deliver;
}

/** A stub is no message that people may answer: it is never found in the place of the one it stands for. */
function markOf({ key, origin }: MessageOperation, form: Form): MessageMark {
  const { stream, version, through } = origin;
  return { key: form.stub ? undeliveredKey(key) : key, stream, version, through };
}

function hashOf(shown: Rendered): string {
  return createHash('sha256').update(JSON.stringify(shown)).digest('hex');
}
