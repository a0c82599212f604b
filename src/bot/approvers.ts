import type { WebClient } from '@slack/web-api';
import { z } from 'zod';
import type { ApproverList } from '../config.js';
import type { Sign, Verdict } from '../runbook/command.js';
import type { Member, People, Roster } from '../runbook/people.js';
import { type Listed, readLists } from './approver-lists.js';
import { messageOf } from './log.js';
import type { ReadReactions } from './reaction-reader.js';

/** How long a roster may be shown again, ms. A verdict is never kept. */
const ROSTER_AGE = 30_000;

const ChannelInfo = z.object({ channel: z.object({ is_ext_shared: z.boolean() }) });

/** Answers who may approve, from Slack, at the moment of asking. Every look-up that fails is a no. */
export function createApprovers(deps: {
  readonly client: WebClient;
  /** Looks one person up. */
  readonly member: (user: string) => Promise<Member>;
  readonly channel: string;
  readonly lists: Readonly<Record<string, ApproverList>>;
  readonly read: ReadReactions;
  /** ms since the epoch */
  readonly now: () => number;
}): People {
  const { client } = deps;
  const rosters = new Map<string, { readonly at: number; readonly roster: Roster }>();

  /** Null when the channel is ours alone. In a shared one, outsiders cannot be told apart for sure. */
  async function channelTrouble(): Promise<Verdict | null> {
    try {
      const { channel } = ChannelInfo.parse(await client.conversations.info({ channel: deps.channel }));
      return channel.is_ext_shared
        ? {
            kind: 'ineligible',
            code: 'shared_channel',
            why: 'the channel is shared with another company, where nobody can approve',
          }
        : null;
    } catch (error) {
      return lookupFailed(
        `the channel could not be looked up (${messageOf(error)}); take the ✅ back and give it again to be looked up anew`,
      );
    }
  }

  async function kindOf(user: string): Promise<Verdict> {
    const found = await deps.member(user);
    switch (found.kind) {
      case 'member':
        return { kind: 'eligible' };
      case 'not_a_member':
        return { ...found, kind: 'ineligible' };
      case 'unknown':
        return lookupFailed(
          `you could not be looked up (${found.why}); take the ✅ back and give it again to be looked up anew`,
        );
    }
  }

  const readListed = (names: readonly string[]) => readLists(client, deps.lists, names);

  return {
    async verdict(user, lists) {
      const [kind, channel, listed] = await Promise.all([
        kindOf(user),
        channelTrouble(),
        // Each by itself: a person who is on one of several lists is not on all of them.
        Promise.all((lists.length === 0 ? [[]] : lists.map((l) => [l])).map(readListed)),
      ]);
      if (kind.kind === 'ineligible') return kind;
      if (channel !== null) return channel;
      const places = listed.map((each) => placeOn(each, user));
      return places.find((place) => place.kind === 'ineligible') ?? { kind: 'eligible' };
    },

    async roster(lists) {
      const key = JSON.stringify([...lists].sort());
      const known = rosters.get(key);
      if (known !== undefined && deps.now() - known.at < ROSTER_AGE) return known.roster;
      const [channel, listed] = await Promise.all([channelTrouble(), readLists(client, deps.lists, lists)]);
      const users = [...listed.users];
      const verdicts = await Promise.all(users.map(async (user) => channel ?? (await kindOf(user))));
      const roster: Roster = {
        eligible: users.filter((_, i) => verdicts[i]?.kind === 'eligible'),
        ineligible: users.flatMap((user, i) => {
          const verdict = verdicts[i];
          return verdict?.kind === 'ineligible' ? [{ user, why: verdict.why }] : [];
        }),
        problems: [...listed.withoutGroups, ...listed.failures],
      };
      // What could not be looked up may be known a moment later.
      const failed = verdicts.some((v) => v.kind === 'ineligible' && v.code === 'lookup_failed');
      if (!failed && listed.failures.length === 0) rosters.set(key, { at: deps.now(), roster });
      return roster;
    },

    async signs(request) {
      const read = await deps.read(request);
      if (read === null) return { kind: 'unasked' };
      if (read.kind !== 'read') return { kind: 'gone' };
      const { given } = read;
      const by = (sign: Sign) => [...new Set(given.filter((g) => g.sign === sign).map((g) => g.user))];
      return { kind: 'read', by: { approve: by('approve'), refuse: by('refuse'), stop: by('stop') } };
    },
  };
}

function placeOn(listed: Listed, user: string): Verdict {
  if (listed.users.has(user)) return { kind: 'eligible' };
  const failure = listed.failures[0];
  if (failure !== undefined) return lookupFailed(failure);
  const plan = listed.withoutGroups[0];
  return {
    kind: 'ineligible',
    code: 'not_listed',
    why: `not on the approver list${plan === undefined ? '' : `; ${plan}`}`,
  };
}

function lookupFailed(why: string): Verdict {
  return { kind: 'ineligible', code: 'lookup_failed', why };
}
