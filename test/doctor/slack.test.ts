import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { manifestScopes } from '../../src/doctor/slack.js';
import { createSlackCalls } from '../../src/doctor/slack-api.js';
import { createPeople, type People } from '../../workspace/slack/client.js';
import { CHANNELS, GROUPS, USERS } from '../../workspace/slack/people.js';
import { createSlackStandIn, type SlackStandIn } from '../../workspace/slack/server.js';
import { changedConfig, diagnose, openPlace, type Place } from './place.js';

let place: Place;
const standIns: SlackStandIn[] = [];
beforeAll(async () => {
  place = await openPlace('doctor_slack');
});
afterAll(() => place?.close());
afterEach(async () => {
  await Promise.all(standIns.splice(0).map((slack) => slack.close()));
});

/** A Slack of its own, so that what a test does to people and channels stays in the test. */
async function slackWith(options: Parameters<typeof createSlackStandIn>[0] = {}): Promise<{
  env: Record<string, string>;
  people: People;
}> {
  const slack = await createSlackStandIn(options);
  standIns.push(slack);
  const env = {
    ...place.trial.botEnv,
    SLACK_API_URL: slack.url,
    SLACK_BOT_TOKEN: slack.tokens.bot,
    SLACK_APP_TOKEN: slack.tokens.app,
  };
  return { env, people: createPeople(slack.peopleUrl) };
}

/** A manifest with these scopes alone. */
async function manifestWith(scopes: readonly string[]): Promise<string> {
  const path = join(place.directory, `manifest-${scopes.length}.yml`);
  const manifest = {
    features: { slash_commands: [] },
    oauth_config: { scopes: { bot: scopes } },
    settings: { event_subscriptions: { bot_events: [] } },
  };
  await writeFile(path, JSON.stringify(manifest));
  return path;
}

test('everything right: no line asks for anything', async () => {
  const { healthy, lines, problems, warnings } = await diagnose(place.trial.botEnv);
  expect([problems, warnings]).toEqual([[], []]);
  expect(healthy).toBe(true);
  expect(lines.at(-1)).toMatch(/^\d+ fine, 0 warnings, 0 problems\. The bot can start\.$/);
  expect(lines).toEqual(
    expect.arrayContaining([
      '✓ Slack bot token: m10bot (U0M10BOT01) in M10 Trial',
      '✓ Slack delivery: Socket Mode, the app token works',
      expect.stringMatching(
        /^✓ database of production: .*PostgreSQL 15.*021_m10_durable_queue_fallback, as postgres$/,
      ),
      expect.stringMatching(/^✓ programs of staging: alembic \d.*pg_dump \d.*pytest \d/),
    ]),
  );
});

test('people, channel, scopes and tokens that are wrong show at once, each with what to do', async () => {
  const without = ['files:write', 'groups:history'];
  const scopes = manifestScopes().filter((scope) => !without.includes(scope));
  const { env, people } = await slackWith({ manifestPath: await manifestWith(scopes) });
  await people.setUser({ user: USERS.bob, deleted: true });
  await people.setUser({ user: USERS.alice, isRestricted: true });
  await people.setGroup({ group: GROUPS.dba, disabled: true });
  await people.leave({ user: USERS.bot, channel: CHANNELS.incident });
  await people.setChannel({ channel: CHANNELS.incident, isArchived: true, isExtShared: true });
  const config = await changedConfig(place, (file) => {
    file.slack.team = 'T0SOMEBODY';
    file.operators.push('U0NOBODY1');
  });
  const { healthy, problems } = await diagnose({ ...env, M10_CONFIG: config, SLACK_APP_TOKEN: 'xapp-wrong' });
  expect(healthy).toBe(false);
  expect(problems).toEqual([
    expect.stringMatching(
      /^✗ Slack workspace: .*T0SOMEBODY.*belongs to T0M10TEAM1.* → set slack\.team to T0M10TEAM1/,
    ),
    expect.stringMatching(/^✗ Slack scopes: missing files:write, groups:history → add them/),
    expect.stringMatching(/^✗ Slack delivery: .*invalid_auth → set SLACK_APP_TOKEN to an app-level token/),
    expect.stringMatching(/^✗ channel C0INCIDENT: #incident-m10 is archived → /),
    expect.stringMatching(/^✗ channel C0INCIDENT: the bot is not in #incident-m10 → say \/invite @m10bot/),
    expect.stringMatching(/^✗ channel C0INCIDENT: .*shared with another company/),
    expect.stringMatching(/^✗ operators: Alice .* is a guest → take U0ALICE001 out of operators/),
    expect.stringMatching(/^✗ operators: U0NOBODY1 does not exist in this workspace/),
    expect.stringMatching(/^✗ approver list everyone: .*\(U0BOB00001\) has a deactivated account → take/),
    expect.stringMatching(
      /^✗ approver list everyone: user group S0DBA00001 cannot be read: Slack says no_such_subteam/,
    ),
    expect.stringMatching(/^✗ approvals for .*asked for; nobody may give one/),
  ]);
});

test('each kind of person who does not count is named with why', async () => {
  const { env } = await slackWith();
  const config = await changedConfig(place, (file) => {
    file.approvers.everyone = {
      users: [USERS.bob, USERS.gina, USERS.rob, USERS.stan, USERS.dora, USERS.slackbot],
    };
  });
  const { problems, lines } = await diagnose({ ...env, M10_CONFIG: config });
  expect(problems).toEqual([
    expect.stringMatching(/Gina Guest .* is a guest/),
    expect.stringMatching(/Rob Robot .* is a bot/),
    expect.stringMatching(/Stan Stranger .* is from outside the workspace/),
    expect.stringMatching(/U0DORA0001.* has a deactivated account/),
    expect.stringMatching(/Slackbot .* is a bot/),
  ]);
  expect(lines).toContain('✓ approver list everyone: Bob Approver (U0BOB00001)');
});

test('the only operator as the only approver opens no gate', async () => {
  const { env } = await slackWith();
  const config = await changedConfig(place, (file) => {
    file.operators = [USERS.alice];
    file.approvers.everyone = { users: [USERS.alice] };
  });
  const { problems } = await diagnose({ ...env, M10_CONFIG: config });
  expect(problems).toEqual([
    expect.stringMatching(/^✗ approvals for .*Alice .* never for their own request.* → add an approver/),
  ]);
});

test('a gate that some operators can open and others cannot is a warning; one that asks too much is a problem', async () => {
  const { env } = await slackWith();
  const some = await changedConfig(place, (file) => {
    file.approvers.everyone = { users: [USERS.carol] };
  });
  const seen = await diagnose({ ...env, M10_CONFIG: some });
  expect(seen.healthy).toBe(true);
  expect(seen.warnings).toEqual([expect.stringMatching(/out of reach when Carol .* drives: only Carol/)]);
  const none = await changedConfig(place, (file) => {
    file.approvers.everyone = { users: [USERS.bob] };
    file.targets.production.gate = { approvals: 2, from: 'everyone' };
  });
  const { problems, lines } = await diagnose({ ...env, M10_CONFIG: none });
  // Blocks that do not touch production are fine with one.
  expect(problems).toEqual([expect.stringMatching(/2 approvals from everyone asked for; Bob/)]);
  expect(lines.join('\n')).not.toMatch(/approvals for .*staging/);
});

test('on a plan without user groups, only the listed users count', async () => {
  const { env, people } = await slackWith();
  await people.setPlan({ paid: false });
  const { healthy, warnings } = await diagnose(env);
  expect(healthy).toBe(true);
  expect(warnings).toEqual([
    expect.stringMatching(/S0DBA00001 does not count: this Slack plan has no user groups/),
  ]);
});

test('a private channel without the bot looks as if it did not exist', async () => {
  const { env, people } = await slackWith();
  await people.setChannel({ channel: CHANNELS.incident, isPrivate: true });
  await people.leave({ user: USERS.bot, channel: CHANNELS.incident });
  const { problems } = await diagnose(env);
  expect(problems).toEqual([
    expect.stringMatching(/^✗ channel C0INCIDENT: does not exist, or is private .*\/invite/),
  ]);
});

test('look-ups that lack their scope are not called wrong; the scope is', async () => {
  const scopes = manifestScopes().filter(
    (scope) => !['users:read', 'channels:read', 'groups:read'].includes(scope),
  );
  const { env } = await slackWith({ manifestPath: await manifestWith(scopes) });
  const { problems, warnings } = await diagnose(env);
  expect(problems).toEqual([expect.stringMatching(/scopes: missing users:read, channels:read, groups:read/)]);
  expect(warnings).toEqual([
    expect.stringMatching(/^! channel C0INCIDENT: not checked, since a scope is missing/),
    expect.stringMatching(/^! operators: U0ALICE001 was not checked: Slack says missing_scope/),
    expect.stringMatching(/^! operators: U0CAROL001/),
    expect.stringMatching(/^! approver list everyone: U0BOB00001/),
    expect.stringMatching(/^! approver list everyone: user group S0DBA00001/),
    expect.stringMatching(/^! approvals for .*: not checked/),
  ]);
});

test('with a wrong bot token or no Slack at all there is one problem for it, and the rest is checked', async () => {
  const { env, people } = await slackWith();
  const wrong = await diagnose({ ...env, SLACK_BOT_TOKEN: 'xoxb-of-somebody-else' });
  expect(wrong.problems).toEqual([
    expect.stringMatching(/^✗ Slack bot token: Slack says invalid_auth → set SLACK_BOT_TOKEN/),
  ]);
  expect(wrong.lines).toContainEqual(expect.stringMatching(/^✓ database of production/));
  expect(wrong.lines.join('\n')).not.toContain('of-somebody-else');
  await people.outage({ mode: '503' });
  const down = await diagnose(env);
  expect(down.problems).toEqual([
    expect.stringMatching(/^✗ Slack bot token: .* cannot be reached: HTTP status 503/),
    expect.stringMatching(/^✗ Slack delivery: .*HTTP status 503/),
  ]);
  const nobody = await diagnose({ ...env, SLACK_API_URL: 'http://127.0.0.1:9/api/' });
  expect(nobody.problems).toHaveLength(2);
});

test('HTTP delivery needs no app token', async () => {
  const { SLACK_APP_TOKEN: _, ...env } = (await slackWith()).env;
  const { healthy, lines } = await diagnose({
    ...env,
    SLACK_SIGNING_SECRET: 'a-signing-secret',
    PORT: '3000',
  });
  expect(healthy).toBe(true);
  expect(lines).toContainEqual(expect.stringMatching(/^✓ Slack delivery: HTTP on port 3000/));
});

test('a clock that is off is a warning against Slack and against each database', async () => {
  const { healthy, warnings } = await diagnose(place.trial.botEnv, { now: () => Date.now() + 60_000 });
  expect(healthy).toBe(true);
  expect(warnings.map((line) => line.replace(/ \d+ s/, ' N s'))).toEqual(
    ['Slack', 'state database', 'database of staging', 'database of production'].map((of) =>
      expect.stringMatching(new RegExp(`^! clock against ${of}: this machine is N s ahead`)),
    ),
  );
});

test('a rate limit is waited out', async () => {
  const { env, people } = await slackWith();
  await people.failNext({ method: 'auth.test', failure: 'ratelimited', count: 1 });
  const call = createSlackCalls({ apiUrl: env.SLACK_API_URL ?? '', timeoutMs: 20_000, now: Date.now });
  expect(await call('auth.test', env.SLACK_BOT_TOKEN ?? '')).toMatchObject({ kind: 'ok' });
});
