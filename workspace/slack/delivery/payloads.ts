import type { JsonObject } from '../json.js';
import { APP, TEAM } from '../people.js';
import { newId, type World } from '../world.js';

/** The deprecated verification token, which Slack still sends with everything. */
export const VERIFICATION_TOKEN = 'local-verification-token';

/** Wraps an event the way Slack delivers it. */
export function eventPayload(world: World, event: JsonObject, channel: string | undefined): JsonObject {
  return {
    token: VERIFICATION_TOKEN,
    team_id: TEAM.id,
    context_team_id: TEAM.id,
    context_enterprise_id: null,
    api_app_id: APP.id,
    event,
    type: 'event_callback',
    event_id: newId('Ev'),
    event_time: Math.floor(world.now() / 1000),
    authorizations: [
      {
        enterprise_id: null,
        team_id: TEAM.id,
        user_id: APP.userId,
        is_bot: true,
        is_enterprise_install: false,
      },
    ],
    is_ext_shared_channel:
      channel === undefined ? false : (world.channels.get(channel)?.isExtShared ?? false),
    event_context: newId('4-'),
  };
}
