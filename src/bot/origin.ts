import { z } from 'zod';
import type { Identity } from './identity.js';

/** A delivery that Slack made for another installation. It is refused, and stored nowhere. */
export class ForeignDelivery extends Error {
  override readonly name = 'ForeignDelivery';
}

/** A delivery that is no JSON object: Slack sends none. */
export class MalformedDelivery extends Error {
  override readonly name = 'MalformedDelivery';
}

/**
 * Where a delivery says it is from. Commands name the workspace at the top, interactions in `team` (null for an
 * installation of a whole organisation), events in `authorizations`: their `team_id` may be that of a person of another
 * company in a shared channel.
 * Source: https://docs.slack.dev/apis/events-api/#event-type-structure and
 * https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
 */
const Origin = z.object({
  api_app_id: z.string().optional(),
  team_id: z.string().nullish(),
  enterprise_id: z.string().nullish(),
  // A command carries it as text.
  is_enterprise_install: z.union([z.boolean(), z.string()]).optional(),
  team: z.object({ id: z.string() }).nullish(),
  enterprise: z.object({ id: z.string() }).nullish(),
  authorizations: z
    .array(z.object({ team_id: z.string().nullish(), enterprise_id: z.string().nullish() }))
    .optional(),
});

/**
 * Why a delivery is not this installation's; null when it is. The signature proves that Slack made it for the app, and an
 * app can be installed in many workspaces: what is signed there is not said here.
 * @param team the workspace of the configuration
 * @param identity what Slack said of the bot; null until it was reached, and then only the workspace is checked
 */
export function foreignBecause(body: unknown, team: string, identity: Identity | null): string | null {
  const { success, data } = Origin.safeParse(body);
  if (!success) return 'it does not say which workspace and app it is for';
  const app = identity?.appId ?? null;
  // The signature is the app's own, so one that names none is not another one's.
  if (app !== null && data.api_app_id !== undefined && data.api_app_id !== app)
    return `it is for app ${data.api_app_id}, expected ${app}`;
  const given = data.authorizations ?? [
    {
      team_id: data.team?.id ?? data.team_id,
      enterprise_id: data.enterprise?.id ?? data.enterprise_id,
    },
  ];
  // On Enterprise Grid the configuration may name the organisation in place of a workspace.
  if (given.some((each) => each.team_id === team || each.enterprise_id === team)) return null;
  const wide = data.is_enterprise_install === true || data.is_enterprise_install === 'true';
  const organisation = identity?.enterpriseId ?? null;
  if (wide && organisation !== null && given.some((each) => each.enterprise_id === organisation)) return null;
  const named = given.map((each) => each.team_id ?? '(none)').join(', ') || '(none)';
  return `it is from workspace ${named}, expected ${team}`;
}
