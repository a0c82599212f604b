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

/** A channel that the bot posts into, and where it is named. */
interface Named {
  readonly what: string;
  readonly id: string;
  readonly key: string;
  /** What it means when another company is in the channel, too. */
  readonly shared: string;
}

/** The incident channel and those that events may notify: each exists, with the bot in it and no outsiders. */
export function channelChecks(
  { slack, jobs }: Pick<Config, 'slack' | 'jobs'>,
  session: SlackSession,
): Check[] {
  const incident: Named = {
    what: `channel ${slack.channel}`,
    id: slack.channel,
    key: 'slack.channel',
    shared: 'outsiders read along, and the bot counts no approval there',
  };
  const key = 'jobs.outbox-processor.notify-channels';
  const others = new Set(jobs?.['outbox-processor']['notify-channels'] ?? []);
  others.delete(slack.channel);
  const notified = [...others].map((id): Named => {
    return { what: `notify channel ${id}`, id, key, shared: 'outsiders read what events tell' };
  });
  return [incident, ...notified].map((named) => channelCheck(named, session));
}

function channelCheck({ what, id, key, shared }: Named, session: SlackSession): Check {
  return {
    what,
    async run() {
      if ((await session.self()) === null) return [attention(what, notAsked)];
      const answer = await session.ask('conversations.info', { channel: id });
      if (answer.kind === 'refused' && answer.code === 'missing_scope') {
        return [
          attention(what, `not checked, since a scope is missing (${answer.needed ?? 'channels:read'})`),
        ];
      }
      if (answer.kind === 'refused' && answer.code === 'channel_not_found') {
        const todo = `correct ${key}; if the channel is private, invite the bot there: /invite @m10bot`;
        return [problem(what, 'does not exist, or is private without the bot in it', todo)];
      }
      if (answer.kind === 'unreachable') {
        return [attention(what, `not checked: ${failureWords(answer)}`, 'run the doctor again')];
      }
      if (answer.kind !== 'ok') {
        return [problem(what, failureWords(answer), `correct ${key}`)];
      }
      return findingsOf({ what, id, key, shared }, ChannelInfo.parse(answer.body).channel);
    },
  };
}

function findingsOf(
  { what, key, shared }: Named,
  channel: z.infer<typeof ChannelInfo>['channel'],
): Finding[] {
  const findings: Finding[] = [];
  const name = `#${channel.name ?? '?'}`;
  if (channel.is_archived === true) {
    findings.push(problem(what, `${name} is archived`, `unarchive it, or name another one in ${key}`));
  }
  if (channel.is_member !== true) {
    findings.push(problem(what, `the bot is not in ${name}`, 'say /invite @m10bot there'));
  }
  if (channel.is_ext_shared === true) {
    findings.push(
      problem(
        what,
        `${name} is shared with another company: ${shared}`,
        `name a channel of your own workspace in ${key}`,
      ),
    );
  }
  return findings.length > 0 ? findings : [fine(what, `${name}, the bot is in it`)];
}
