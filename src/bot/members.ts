import { WebAPIPlatformError, type WebClient } from '@slack/web-api';
import { z } from 'zod';
import type { Member } from '../runbook/people.js';
import { judgeKind, SlackUser } from './eligibility.js';
import type { Identity } from './identity.js';
import { messageOf } from './log.js';

const UserInfo = z.object({ user: SlackUser });

/** Slack's way of saying that nobody of the workspace is meant: https://docs.slack.dev/reference/methods/users.info */
const nobody = new Set(['user_not_found', 'user_not_visible']);

/**
 * Looks a person up, now: a full, active member of our workspace, or which other kind. Nothing is remembered. Never
 * throws: that Slack could not be asked, or described the person incompletely, is an answer of its own.
 */
export function createMembers(deps: {
  readonly client: Pick<WebClient, 'users'>;
  readonly team: string;
  readonly identity: () => Identity | null;
}): (user: string) => Promise<Member> {
  return async (user) => {
    try {
      const answer = UserInfo.parse(await deps.client.users.info({ user }));
      if (answer.user.id !== user) return { kind: 'unknown', why: 'Slack answered about somebody else' };
      const verdict = judgeKind(answer.user, deps.team, deps.identity());
      return verdict.kind === 'eligible' ? { kind: 'member' } : { ...verdict, kind: 'not_a_member' };
    } catch (error) {
      if (error instanceof WebAPIPlatformError && nobody.has(error.data.error)) {
        const why = 'the workspace does not know this person';
        return { kind: 'not_a_member', code: 'stranger', why };
      }
      const incomplete = error instanceof z.ZodError;
      return {
        kind: 'unknown',
        why: incomplete ? 'Slack described the person incompletely' : messageOf(error),
      };
    }
  };
}
