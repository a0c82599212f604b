import { z } from 'zod';
import type { Config } from '../config.js';
import { attention, type Check, type Finding, fine, problem } from './finding.js';
import { failureWords, notAsked, type SlackSession } from './slack-session.js';

const ChannelInfo = z.looseObject({
  channel: z.looseObject({
    name: z.string().optional(),
    is_member: z.boolean().optional(),
    is_archived: z.boolean().optional(),
    is_ext_shared: z.boolean().optional(),
  }),
});

/** The incident channel: it exists, the bot can write there, and only our own people are in it. */
export function channelCheck({ slack }: Pick<Config, 'slack'>, session: SlackSession): Check {
  const what = `channel ${slack.channel}`;
  return {
    what,
    async run() {
      if ((await session.self()) === null) return [attention(what, notAsked)];
      const answer = await session.ask('conversations.info', { channel: slack.channel });
      if (answer.kind === 'refused' && answer.code === 'missing_scope') {
        return [
          attention(what, `not checked, since a scope is missing (${answer.needed ?? 'channels:read'})`),
        ];
      }
      if (answer.kind === 'refused' && answer.code === 'channel_not_found') {
        const todo =
          'correct slack.channel; if the channel is private, invite the bot there: /invite @m10bot';
        return [problem(what, 'does not exist, or is private without the bot in it', todo)];
      }
      if (answer.kind !== 'ok') {
        return [problem(what, failureWords(answer), 'correct slack.channel, or run the doctor again')];
      }
      return findingsOf(what, ChannelInfo.parse(answer.body).channel);
    },
  };
}

function findingsOf(what: string, channel: z.infer<typeof ChannelInfo>['channel']): Finding[] {
  const findings: Finding[] = [];
  const name = `#${channel.name ?? '?'}`;
  if (channel.is_archived === true) {
    findings.push(problem(what, `${name} is archived`, 'unarchive it, or set slack.channel to another one'));
  }
  if (channel.is_member !== true) {
    findings.push(problem(what, `the bot is not in ${name}`, 'say /invite @m10bot there'));
  }
  if (channel.is_ext_shared === true) {
    findings.push(
      problem(
        what,
        `${name} is shared with another company: outsiders read along, and the bot counts no approval there`,
        'set slack.channel to a channel of your own workspace',
      ),
    );
  }
  return findings.length > 0 ? findings : [fine(what, `${name}, the bot is in it`)];
}
