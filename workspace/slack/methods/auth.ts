import { z } from 'zod';
import { SlackError } from '../errors.js';
import { APP, TEAM } from '../people.js';
import { type Method, method, str } from './method.js';

const apiTest = method('api.test', {
  token: 'none',
  limit: { kind: 'none' },
  args: z.looseObject({ error: str.optional() }),
  run(args) {
    const { token: _, ...echo } = args;
    if (args.error !== undefined) throw new SlackError(args.error, { args: echo });
    return { args: echo };
  },
});

const authTest = method('auth.test', {
  // Slack allows hundreds a minute.
  limit: { kind: 'per_minute', calls: 600 },
  args: z.object({}),
  run: () => ({
    url: `https://${TEAM.domain}.slack.com/`,
    team: TEAM.name,
    user: APP.name,
    team_id: TEAM.id,
    user_id: APP.userId,
    bot_id: APP.botId,
    is_enterprise_install: false,
  }),
});

const openConnection = method('apps.connections.open', {
  token: 'app',
  limit: { kind: 'per_minute', calls: 60 },
  args: z.object({}),
  run: (_, context) => ({ url: context.socketUrl() }),
});

/** Who the app is, and its way in. */
export const authMethods: readonly Method[] = [apiTest, authTest, openConnection];
