import { z } from 'zod';
import type { NotAsked } from '../runbook/command.js';
import type { MemberCode } from '../runbook/people.js';
import { notAsked } from './asking.js';
import type { Identity } from './identity.js';

/**
 * What `users.info` says of a person. What Slack leaves out of an active person's record is not guessed:
 * then the record cannot be read, and the person does not count.
 * Source: https://docs.slack.dev/reference/objects/user-object
 */
const Active = z.object({
  id: z.string(),
  team_id: z.string(),
  deleted: z.literal(false).optional(),
  is_bot: z.boolean(),
  is_restricted: z.boolean(),
  is_ultra_restricted: z.boolean(),
  is_stranger: z.boolean().optional(),
  enterprise_user: z.object({ enterprise_id: z.string() }).optional(),
});
export const SlackUser = z.union([z.object({ id: z.string(), deleted: z.literal(true) }), Active]);
export type SlackUser = z.infer<typeof SlackUser>;

/** Whether somebody is of the right kind, or why not. */
export type KindVerdict =
  | { readonly kind: 'eligible' }
  | { readonly kind: 'ineligible'; readonly code: MemberCode; readonly why: string }
  | NotAsked;

const eligible: KindVerdict = { kind: 'eligible' };
const no = (code: MemberCode, why: string): KindVerdict => ({
  kind: 'ineligible',
  code,
  why,
});

/** Whether this is a kind of person who may approve at all: a full, active member of our workspace. */
export function judgeKind(
  user: SlackUser,
  team: string,
  identity: Pick<Identity, 'enterpriseId'> | null,
): KindVerdict {
  // Slackbot is the one bot whose record says that it is none.
  if (user.id === 'USLACKBOT') return no('bot', 'Slackbot is a bot');
  if (user.deleted === true) return no('deactivated', 'the account is deactivated');
  if (user.is_bot) return no('bot', 'bots do not approve');
  if (user.is_stranger === true) return no('stranger', 'people from outside the workspace do not approve');
  const enterprise = identity?.enterpriseId ?? null;
  const ours =
    user.team_id === team || (enterprise !== null && user.enterprise_user?.enterprise_id === enterprise);
  if (!ours && identity === null && user.enterprise_user !== undefined) {
    return notAsked('Slack has not said yet which enterprise the bot belongs to');
  }
  if (!ours) return no('other_workspace', 'members of another workspace do not approve');
  if (user.is_restricted || user.is_ultra_restricted) return no('guest', 'guests do not approve');
  return eligible;
}
