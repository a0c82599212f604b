import type { WebClient } from '@slack/web-api';
import { z } from 'zod';
import type { ApproverList } from '../config.js';
import type { Sign, Verdict } from '../runbook/command.js';
import type { Member, People, Roster } from '../runbook/people.js';
import { type Listed, readLists } from './approver-lists.js';
import { type Ask, unanswered } from './asking.js';
import type { ReadReactions } from './reaction-reader.js';

/** How long a roster may be shown again, ms. A verdict is never kept. */
const ROSTER_AGE = 30_000;

const ChannelInfo = z.object({ channel: z.object({ is_ext_shared: z.boolean() }) });

/** Answers who may approve, from Slack, at the moment of asking. No answer is neither a yes nor a no. */
export function createApprovers(deps: {
  readonly client: WebClient;
  readonly ask: Ask;
  /** Looks one person up. */
  readonly member: (user: string) => Promise<Member>;
  readonly channel: string;
  readonly lists: Readonly<Record<string, ApproverList>>;
  readonly read: ReadReactions;
  /** ms since the epoch */
  readonly now: () => number;
}): People {
  const { client, ask } = deps;
  const rosters = new Map<string, { readonly at: number; readonly roster: Roster }>();

  /** Null when the channel is ours alone. In a shared one, outsiders cannot be told apart for sure. */
  async function channelTrouble(): Promise<Verdict | null> {
    const asked = await ask('conversations.info', async () =>
      ChannelInfo.parse(await client.conversations.info({ channel: deps.channel })),
    );
    if (asked.kind !== 'answered') return unanswered('the channel could not be looked up', asked);
    return asked.value.channel.is_ext_shared
      ? no('shared_channel', 'the channel is shared with another company, where nobody can approve')
      : null;
  }

  async function kindOf(user: string): Promise<Verdict> {
    const found = await deps.member(user);
    switch (found.kind) {
      case 'member':
        return { kind: 'eligible' };
      case 'not_a_member':
        return { ...found, kind: 'ineligible' };
      case 'not_asked':
        return found;
    }
  }

  const readListed = (names: readonly string[]) => readLists({ client, ask }, deps.lists, names);

  return {
    async verdict(user, lists) {
      const [kind, channel, listed] = await Promise.all([
        kindOf(user),
        channelTrouble(),
        // Each by itself: a person who is on one of several lists is not on all of them.
        Promise.all((lists.length === 0 ? [[]] : lists.map((l) => [l])).map(readListed)),
      ]);
      const all = [
        kind,
        ...(channel === null ? [] : [channel]),
        ...listed.map((each) => placeOn(each, user)),
      ];
      // A no stays a no, whatever else has no answer.
      return (
        all.find((v) => v.kind === 'ineligible') ??
        all.find((v) => v.kind === 'not_asked') ?? { kind: 'eligible' }
      );
    },

    async roster(lists) {
      const key = JSON.stringify([...lists].sort());
      const known = rosters.get(key);
      if (known !== undefined && deps.now() - known.at < ROSTER_AGE) return known.roster;
      const [channel, listed] = await Promise.all([channelTrouble(), readListed(lists)]);
      const users = [...listed.users];
      const verdicts = await Promise.all(users.map(async (user) => channel ?? (await kindOf(user))));
      const roster: Roster = {
        eligible: users.filter((_, i) => verdicts[i]?.kind === 'eligible'),
        ineligible: users.flatMap((user, i) => {
          const verdict = verdicts[i];
          return verdict?.kind === 'ineligible' ? [{ user, why: verdict.why }] : [];
        }),
        problems: listed.problems,
        notAsked: [...listed.notAsked, ...verdicts.filter((v) => v.kind === 'not_asked')],
      };
      // What has no answer may have one a moment later.
      if (roster.notAsked.length === 0) rosters.set(key, { at: deps.now(), roster });
      return roster;
    },

    async signs(request) {
      const read = await deps.read(request);
      if (read.kind === 'not_asked') return read;
      if (read.kind !== 'read') return { kind: 'gone' };
      const { given } = read;
      const by = (sign: Sign) => [...new Set(given.filter((g) => g.sign === sign).map((g) => g.user))];
      return { kind: 'read', by: { approve: by('approve'), refuse: by('refuse'), stop: by('stop') } };
    },
  };
}

function placeOn(listed: Listed, user: string): Verdict {
  if (listed.users.has(user)) return { kind: 'eligible' };
  const [failure] = listed.notAsked;
  if (failure !== undefined) return failure;
  const [problem] = listed.problems;
  return no('not_listed', `not on the approver list${problem === undefined ? '' : `; ${problem}`}`);
}

function no(code: Extract<Verdict, { kind: 'ineligible' }>['code'], why: string): Verdict {
  return { kind: 'ineligible', code, why };
}
