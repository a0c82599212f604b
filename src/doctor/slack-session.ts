import { z } from 'zod';
import type { Config } from '../config.js';
import { once } from './finding.js';
import { type CallSlack, createSlackCalls, type SlackAnswer } from './slack-api.js';

/** Who the bot token says we are. */
export const AuthTest = z.looseObject({
  user_id: z.string(),
  user: z.string().optional(),
  bot_id: z.string().optional(),
  team_id: z.string(),
  team: z.string().optional(),
  enterprise_id: z.string().nullish(),
});
export type AuthTest = z.infer<typeof AuthTest>;

/** A conversation with Slack that every Slack check shares. */
export interface SlackSession {
  readonly call: CallSlack;
  /** `auth.test`, asked once. */
  authTest(): Promise<SlackAnswer>;
  /** The parsed `auth.test`; null when the bot token does not work, which the check of the token reports. */
  self(): Promise<AuthTest | null>;
  /** Calls with the bot token. */
  ask(method: string, args: Readonly<Record<string, string>>): Promise<SlackAnswer>;
}

export function createSlackSession(
  config: Pick<Config, 'slack'>,
  options: { readonly timeoutMs: number; readonly now: () => number },
): SlackSession {
  const { botToken, apiUrl } = config.slack;
  const call = createSlackCalls({ apiUrl, ...options });
  const authTest = once(() => call('auth.test', botToken));
  return {
    call,
    authTest,
    async self() {
      const answer = await authTest();
      if (answer.kind !== 'ok') return null;
      const parsed = AuthTest.safeParse(answer.body);
      return parsed.success ? parsed.data : null;
    },
    ask: (method, args) => call(method, botToken, args),
  };
}

/** Said of everything that cannot be looked up while the bot token does not work. */
export const notAsked = 'not checked, since Slack does not take the bot token';

/** Why a look-up failed, in words. */
export function failureWords(answer: Exclude<SlackAnswer, { kind: 'ok' }>): string {
  return answer.kind === 'unreachable' ? `Slack did not answer: ${answer.why}` : `Slack says ${answer.code}`;
}
