import type { WebClient } from '@slack/web-api';
import { z } from 'zod';
import type { Member } from '../runbook/people.js';
import { type Ask, notAsked, unanswered } from './asking.js';
import { judgeKind, SlackUser } from './eligibility.js';
import type { Identity } from './identity.js';

const UserInfo = z.object({ user: z.looseObject({ id: z.string() }) });

/** Slack's way of saying that nobody of the workspace is meant: https://docs.slack.dev/reference/methods/users.info */
const nobody: ReadonlySet<string> = new Set(['user_not_found', 'user_not_visible']);

/**
 * Looks a person up, now: a full, active member of our workspace, or which other kind. Nothing is remembered. Never
 * throws: that Slack gave no answer is neither a yes nor a no.
 */
export function createMembers(deps: {
  readonly client: Pick<WebClient, 'users'>;
  readonly ask: Ask;
  readonly team: string;
  readonly identity: () => Identity | null;
  /** ms of patience when Slack gives no answer */
  readonly patienceMs?: number;
}): (user: string) => Promise<Member> {
  return async (user) => {
    const look = async () => UserInfo.parse(await deps.client.users.info({ user }));
    const asked = await deps.ask('users.info', look, deps.patienceMs);
    if (asked.kind === 'refused' && nobody.has(asked.code)) {
      return { kind: 'not_a_member', code: 'stranger', why: 'the workspace does not know this person' };
    }
    if (asked.kind !== 'answered') return unanswered('the account could not be looked up', asked);
    const { user: found } = asked.value;
    if (found.id !== user) return notAsked('Slack answered about somebody else');
    const described = SlackUser.safeParse(found);
    if (!described.success) {
      // What Slack leaves out is not guessed, and asking again brings the same record.
      return {
        kind: 'not_a_member',
        code: 'lookup_failed',
        why: 'Slack describes this account incompletely',
      };
    }
    const verdict = judgeKind(described.data, deps.team, deps.identity());
    switch (verdict.kind) {
      case 'eligible':
        return { kind: 'member' };
      case 'ineligible':
        return { ...verdict, kind: 'not_a_member' };
      case 'not_asked':
        return verdict;
    }
  };
}
