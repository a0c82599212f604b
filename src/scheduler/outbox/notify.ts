import { z } from 'zod';
import { beginningOf } from '../../excerpt.js';
import { done, failed, nameOf, type OutboxEvent, type Try } from './event.js';
import { poison } from './request.js';

/** A text for a Slack channel. */
export interface Notice {
  /** Id of a channel that the configuration names. */
  readonly channel: string;
  readonly text: string;
  /** The event's id and when it was published. The same notice may come again, and is posted once. */
  readonly eventId: string;
  /** What it comes from, such as `outbox event 7 (notify:ops)`. */
  readonly source: string;
}

/** Slack cuts a message at 40,000 characters and shows a section of 3,000. */
const LONGEST = 3_000;

const Payload = z
  .object({
    text: z.string().optional(),
    message: z.string().optional(),
    channel: z.string().optional(),
  })
  .refine(({ text, message }) => (text ?? message ?? '').trim() !== '', {
    path: ['text'],
    error: 'expected the text of the notice, here or in message',
  });

/**
 * Hands a `notify:` event on: `{text | message, channel?}`, without a channel to the first of `channels`.
 * @param channels ids of the channels that events may name
 */
export async function sendNotice(
  event: OutboxEvent,
  channels: readonly [string, ...string[]],
  notice: (notice: Notice) => Promise<void>,
  redact: (text: string) => string,
): Promise<Try> {
  const read = Payload.safeParse(event.payload);
  if (!read.success) return failed(`The payload cannot be used: ${poison(read.error).why}`);
  const channel = read.data.channel ?? channels[0];
  if (!channels.includes(channel)) {
    return failed(
      `Channel ${JSON.stringify(channel.slice(0, 80))} is not one that events may name. Add its id to jobs.outbox-processor.notify-channels of m10.yml.`,
    );
  }
  const whole = (read.data.text ?? read.data.message ?? '').trim();
  const text = beginningOf(whole, LONGEST, redact);
  // Ids begin anew when the table is made anew, after a rollback: an id alone would hold back a later notice.
  // Told as a moment, since the time zone of a session is a setting.
  const eventId = `${event.id}@${Date.parse(event.publishedAt)}`;
  await notice({ channel, text, eventId, source: nameOf(event) });
  return done;
}
