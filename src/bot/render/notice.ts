import type { NoticePosted } from '../../runbook/jobs/events.js';
import { code, line, plain } from './escape.js';
import { CUT, cutMrkdwn, LIMITS } from './limits.js';
import { context, message, type Rendered, section } from './message.js';

/**
 * The text of another system. Nothing in it is a mention, a link or code, whatever it says.
 * @param refused Slack's reason for not taking it in its own channel; it then stands in the incident channel
 */
export function renderNotice(notice: NoticePosted, refused?: string): Rendered {
  const text = plain(notice.text).trim() || '(an empty text)';
  const whole = notice.text.length > 10_000 ? `${cutMrkdwn(text, LIMITS.section - CUT.length)}${CUT}` : text;
  const elsewhere =
    refused === undefined
      ? []
      : [
          section(
            `⚠️ This was meant for ${channel(notice.channel)}, where m10bot cannot write (${code(refused)}). Invite it there with ${code('/invite')}, or put the channel right in the event.`,
          ),
        ];
  return message(
    cutMrkdwn(line(notice.text) || '(an empty text)', 1_500),
    [...elsewhere, section(whole)],
    [context(`From ${line(notice.source).slice(0, 300) || 'the outbox'}`)],
  );
}

function channel(id: string): string {
  return /^[CG][A-Z0-9]{2,20}$/.test(id) ? `<#${id}>` : code(id.slice(0, 100)) || 'no channel';
}
