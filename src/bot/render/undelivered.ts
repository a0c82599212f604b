import type { Undelivered, Waiting } from '../../store/held.js';
import { code, line } from './escape.js';
import { cutMrkdwn, LIMITS } from './limits.js';
import { divider, type Rendered, section } from './message.js';
import { moment, plural } from './words.js';

/** An answer with what the channel has not been told, when there is any. */
export function withUndelivered(shown: Rendered, undelivered: Undelivered | null): Rendered {
  const lines = undelivered === null ? [UNREAD] : linesOf(undelivered);
  if (lines.length === 0) return shown;
  const text = cutMrkdwn(`${lines.join(' ')} ${shown.text}`, LIMITS.text);
  return { text, blocks: [...shown.blocks, divider, section(lines.join('\n'))] };
}

const UNREAD = '⚠️ Whether messages wait could not be read.';

function linesOf({ waiting, refused }: Undelivered): string[] {
  const lines = waiting.map((each) => {
    const { what, todo } = reasonOf(each);
    return `⚠️ ${plural(each.messages, 'message')} for ${channelName(each.channel)} ${each.messages === 1 ? 'waits' : 'wait'} since ${moment(each.since.getTime())}: ${what}. ${todo}`;
  });
  if (refused.length === 0) return lines;
  const codes = [...new Set(refused.map((each) => each.code))].slice(0, 5).map(line).join(', ');
  const given = `⚠️ ${plural(refused.length, 'message')} of the last 7 days could not be shown in any form (${codes}). ${code('m10bot audit export')} has what they tell.`;
  return [...lines, given];
}

const channelName = (channel: string) => (/^[CGD][A-Z0-9]+$/.test(channel) ? `<#${channel}>` : line(channel));

/** What keeps them, and what brings them back. */
function reasonOf({ code: said }: Waiting): { what: string; todo: string } {
  const known = reasons[said];
  if (known !== undefined) return known;
  const todo = `${code('m10bot doctor')} checks the tokens, the scopes and the channel. They are tried again by themselves.`;
  return { what: `Slack refuses them (${line(said)})`, todo };
}

const invite = `Say ${code('/invite @m10bot')} there; they then follow in order.`;
const restricted = {
  what: 'posting there is restricted',
  todo: "Let the bot post in the channel's settings; they then follow in order.",
};
const noFiles = {
  what: 'Slack takes no files from the bot',
  todo: `Give the app the scope ${code('files:write')} and reinstall it, or let the workspace take files; they then follow.`,
};
const reasons: Readonly<Record<string, { what: string; todo: string }>> = {
  is_archived: { what: 'the channel is archived', todo: 'Unarchive it; they then follow in order.' },
  not_in_channel: { what: 'the bot is not in the channel', todo: invite },
  channel_not_found: { what: 'the channel is gone, or private without the bot', todo: invite },
  restricted_action: restricted,
  restricted_action_read_only_channel: restricted,
  restricted_action_thread_only_channel: restricted,
  missing_scope: noFiles,
  file_uploads_disabled: noFiles,
};
