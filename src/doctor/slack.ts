import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Config } from '../config.js';
import { clockFinding } from './clock.js';
import { attention, type Check, type Finding, fine, problem } from './finding.js';
import { packageFile } from './package-file.js';
import { AuthTest, failureWords, type SlackSession } from './slack-session.js';

const Manifest = z.looseObject({
  oauth_config: z.looseObject({ scopes: z.looseObject({ bot: z.array(z.string()) }) }),
});

/** The scopes that the app manifest asks for. */
export function manifestScopes(): readonly string[] {
  const text = readFileSync(packageFile('manifest.yml'), 'utf8');
  return Manifest.parse(parse(text)).oauth_config.scopes.bot;
}

/** The tokens, the workspace they belong to, the scopes, and the way in which Slack delivers. */
export function slackChecks(config: Pick<Config, 'slack'>, session: SlackSession): Check[] {
  return [
    { what: 'Slack bot token', run: () => botToken(config, session) },
    { what: 'Slack delivery', run: () => delivery(config, session) },
  ];
}

async function botToken({ slack }: Pick<Config, 'slack'>, session: SlackSession): Promise<Finding[]> {
  const what = 'Slack bot token';
  const answer = await session.authTest();
  if (answer.kind === 'unreachable') {
    const todo = 'check the network and the proxy of this machine, and SLACK_API_URL when it is set';
    return [problem(what, `${slack.apiUrl} cannot be reached: ${answer.why}`, todo)];
  }
  if (answer.kind === 'refused') {
    const todo = 'set SLACK_BOT_TOKEN to the bot token of the installed app (OAuth & Permissions)';
    return [problem(what, failureWords(answer), todo)];
  }
  const parsed = AuthTest.safeParse(answer.body);
  if (!parsed.success) {
    return [problem(what, 'auth.test gave an answer that is not one of Slack', 'check SLACK_API_URL')];
  }
  const self = parsed.data;
  const findings = [
    fine(what, `${self.user ?? 'the bot'} (${self.user_id}) in ${self.team ?? 'its workspace'}`),
    teamFinding(slack.team, self),
    scopeFinding(answer.scopes),
    ...clockFinding('Slack', answer.clockAheadMs),
  ];
  if (self.bot_id === undefined) {
    findings.push(
      problem(what, 'it is not the token of a bot', 'use the bot token, which starts with xoxb-'),
    );
  }
  return findings;
}

function teamFinding(team: string, self: AuthTest): Finding {
  const what = 'Slack workspace';
  const own = [self.team_id, self.enterprise_id ?? ''];
  if (own.includes(team)) return fine(what, team);
  return problem(
    what,
    `the configuration says ${team}, the bot token belongs to ${self.team_id}; nobody there could approve`,
    `set slack.team to ${self.team_id}, or use the token of the right workspace`,
  );
}

function scopeFinding(granted: readonly string[] | null): Finding {
  const what = 'Slack scopes';
  if (granted === null)
    return attention(what, 'not checked, since Slack did not name the scopes of the token');
  const wanted = manifestScopes();
  const missing = wanted.filter((scope) => !granted.includes(scope));
  if (missing.length === 0) return fine(what, `all ${wanted.length} of the manifest`);
  return problem(
    what,
    `missing ${missing.join(', ')}`,
    'add them under OAuth & Permissions (or paste manifest.yml again), then reinstall the app',
  );
}

async function delivery({ slack }: Pick<Config, 'slack'>, session: SlackSession): Promise<Finding[]> {
  const what = 'Slack delivery';
  if (slack.delivery.kind === 'http') {
    const facts = `HTTP on ${slack.delivery.host === undefined ? '' : `${slack.delivery.host}, `}port ${slack.delivery.port}, checked with the signing secret; Slack must reach it as https://…/slack/events`;
    return [fine(what, facts)];
  }
  const answer = await session.call('apps.connections.open', slack.delivery.appToken);
  if (answer.kind === 'ok') return [fine(what, 'Socket Mode, the app token works')];
  const todo =
    answer.kind === 'unreachable'
      ? 'check the network and the proxy of this machine, and SLACK_API_URL when it is set'
      : 'set SLACK_APP_TOKEN to an app-level token with the scope connections:write (Basic Information), and switch Socket Mode on';
  return [problem(what, `Socket Mode, but with the app token ${failureWords(answer)}`, todo)];
}
