import { WebClient } from '@slack/web-api';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CHANNELS, GROUPS, USERS } from '../../../workspace/slack/people.js';
import { openWorkspace, quiet, type Workspace } from './support.js';

let workspace: Workspace;
let client: WebClient;
let clock = 1_700_000_000_000;

function webClient(token: string): WebClient {
  return new WebClient(token, {
    slackApiUrl: workspace.slack.url,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    logger: quiet,
  });
}

beforeEach(async () => {
  workspace = await openWorkspace({ now: () => clock });
  client = webClient(workspace.slack.tokens.bot);
});
afterEach(async () => workspace.close());

const channel = CHANNELS.incident;

/** The error code of a call that must fail. */
async function errorOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'no error',
    (error: unknown) => (typeof error === 'object' && error !== null && 'data' in error ? error.data : error),
  );
}

describe('who may call', () => {
  test('auth.test says who the bot is and which scopes it has', async () => {
    const me = await client.auth.test();
    expect(me).toMatchObject({ user_id: USERS.bot, team_id: 'T0M10TEAM1' });
    expect(me.response_metadata?.scopes).toContain('reactions:read');
  });

  test.each([
    ['', 'not_authed'],
    ['xoxb-wrong', 'invalid_auth'],
  ])('the token %j gets %s', async (token, error) => {
    expect(await errorOf(webClient(token).auth.test())).toMatchObject({ error });
  });

  test('the app token is not a bot token, nor the reverse', async () => {
    const wrong = await errorOf(webClient(workspace.slack.tokens.app).auth.test());
    expect(wrong).toMatchObject({ error: 'not_allowed_token_type' });
    expect(await errorOf(client.apps.connections.open({}))).toMatchObject({
      error: 'not_allowed_token_type',
    });
  });

  test('a scope that the manifest does not ask for is missing', async () => {
    const { ts = '' } = await client.chat.postMessage({ channel, text: 'x' });
    expect(await errorOf(client.reactions.add({ channel, timestamp: ts, name: 'eyes' }))).toMatchObject({
      error: 'missing_scope',
      needed: 'reactions:write',
      provided: expect.stringContaining('reactions:read'),
    });
  });

  test('a method that does not exist', async () => {
    expect(await errorOf(client.apiCall('chat.shout'))).toMatchObject({ error: 'unknown_method' });
  });
});

describe('messages', () => {
  test('only where the bot is, only with something to say', async () => {
    const post = (args: Record<string, unknown>) => errorOf(client.apiCall('chat.postMessage', args));
    expect(await post({ text: 'x' })).toMatchObject({ error: 'channel_not_found' });
    expect(await post({ channel: CHANNELS.elsewhere, text: 'x' })).toMatchObject({ error: 'not_in_channel' });
    expect(await post({ channel })).toMatchObject({ error: 'no_text' });
    expect(await post({ channel, text: 'x', thread_ts: '1.000000' })).toMatchObject({
      error: 'invalid_thread_ts',
    });
    expect(await post({ channel, text: 'x', metadata: { event_type: 'run' } })).toMatchObject({
      error: 'invalid_metadata_format',
    });
    await workspace.people.setChannel({ channel, isArchived: true });
    expect(await post({ channel, text: 'x' })).toMatchObject({ error: 'is_archived' });
  });

  test('blocks that Slack would refuse are refused, with the place', async () => {
    const blocks = [{ type: 'section', text: { type: 'mrkdwn', text: 'x'.repeat(3001) } }];
    const at = '[json-pointer:/blocks/0/text/text]';
    expect(await errorOf(client.chat.postMessage({ channel, text: 't', blocks }))).toMatchObject({
      error: 'invalid_blocks',
      errors: [`must be less than 3001 characters ${at}`],
      response_metadata: { messages: [`[ERROR] must be less than 3001 characters ${at}`] },
    });
    const many = Array.from({ length: 5 }, () => ({
      type: 'section',
      text: { type: 'mrkdwn', text: 'x'.repeat(2900) },
    }));
    expect(await errorOf(client.chat.postMessage({ channel, text: 't', blocks: many }))).toMatchObject({
      error: 'msg_blocks_too_long',
    });
  });

  test('an update with text and no blocks takes the blocks away; metadata stays until it is emptied', async () => {
    const metadata = { event_type: 'm10_post', event_payload: { run: '12', version: 3 } };
    const blocks = [{ type: 'divider' }];
    const { ts = '' } = await client.chat.postMessage({ channel, text: 'one', blocks, metadata });
    await client.chat.update({ channel, ts, text: 'two' });
    const read = async () => {
      const page = await client.conversations.history({ channel, include_all_metadata: true, limit: 1 });
      return page.messages?.[0];
    };
    expect(await read()).toMatchObject({ text: 'two', metadata, edited: { user: USERS.bot } });
    expect(await read()).not.toHaveProperty('blocks');
    await client.apiCall('chat.update', { channel, ts, text: 'three', metadata: {} });
    expect(await read()).not.toHaveProperty('metadata');
    expect(await errorOf(client.chat.update({ channel, ts, text: 'x'.repeat(4001) }))).toMatchObject({
      error: 'msg_too_long',
    });
  });

  test('only the author edits and deletes', async () => {
    const { ts = '' } = await workspace.people.say({ user: USERS.alice, channel, text: 'mine' });
    expect(await errorOf(client.chat.update({ channel, ts, text: 'x' }))).toMatchObject({
      error: 'cant_update_message',
    });
    expect(await errorOf(client.chat.delete({ channel, ts }))).toMatchObject({
      error: 'cant_delete_message',
    });
    expect(await errorOf(client.chat.delete({ channel, ts: '1.000000' }))).toMatchObject({
      error: 'message_not_found',
    });
  });

  test('history is newest first, leaves replies out and goes page by page', async () => {
    const parent = await client.chat.postMessage({ channel, text: 'parent' });
    const thread_ts = parent.ts ?? '';
    await client.chat.postMessage({ channel, text: 'reply', thread_ts });
    await client.chat.postMessage({ channel, text: 'last' });
    const first = await client.conversations.history({ channel, limit: 1 });
    expect(first.messages?.map((m) => m.text)).toEqual(['last']);
    const cursor = first.response_metadata?.next_cursor ?? '';
    const second = await client.conversations.history({ channel, limit: 1, cursor });
    expect(second.messages).toMatchObject([{ text: 'parent', reply_count: 1 }]);
    const thread = await client.conversations.replies({ channel, ts: thread_ts });
    expect(thread.messages?.map((m) => m.text)).toEqual(['parent', 'reply']);
    const from = await client.conversations.history({ channel, oldest: thread_ts });
    expect(from.messages?.map((m) => m.text)).toEqual(['last']);
    const inclusive = await client.conversations.history({ channel, oldest: thread_ts, inclusive: true });
    expect(inclusive.messages?.map((m) => m.text)).toEqual(['last', 'parent']);
  });
});

describe('people', () => {
  test.each([
    [USERS.alice, { is_bot: false, deleted: false, is_restricted: false }],
    [USERS.gina, { is_restricted: true, is_ultra_restricted: false }],
    [USERS.gus, { is_restricted: true, is_ultra_restricted: true }],
    [USERS.stan, { is_stranger: true, team_id: 'T0OTHER001' }],
    [USERS.rob, { is_bot: true }],
    [USERS.dora, { deleted: true }],
    [USERS.slackbot, { is_bot: false }],
  ])('users.info of %s', async (user, expected) => {
    expect((await client.users.info({ user })).user).toMatchObject(expected);
  });

  test('the user group, and a plan without user groups', async () => {
    const list = () => client.usergroups.users.list({ usergroup: GROUPS.dba });
    expect((await list()).users).toEqual([USERS.carol]);
    await workspace.people.setPlan({ paid: false });
    expect(await errorOf(list())).toMatchObject({ error: 'plan_upgrade_required' });
  });

  test('a private channel is unknown to a bot that is not in it', async () => {
    const info = () => client.conversations.info({ channel: CHANNELS.privateOps });
    expect((await info()).channel).toMatchObject({ is_private: true, is_member: true });
    await workspace.people.leave({ user: USERS.bot, channel: CHANNELS.privateOps });
    expect(await errorOf(info())).toMatchObject({ error: 'channel_not_found' });
  });

  test('nobody reacts twice, nor where they are not, nor once they are gone', async () => {
    const { people } = workspace;
    const { ts = '' } = await client.chat.postMessage({ channel, text: 'gate' });
    const react = (user: string) => people.react({ user, channel, ts, emoji: 'thumbsup' });
    await react(USERS.bob);
    await expect(react(USERS.bob)).rejects.toMatchObject({ code: 'already_reacted' });
    await expect(react(USERS.dora)).rejects.toMatchObject({ code: 'account_inactive' });
    await people.leave({ user: USERS.carol, channel });
    await expect(react(USERS.carol)).rejects.toMatchObject({ code: 'not_in_channel' });
    const got = await client.reactions.get({ channel, timestamp: ts, full: true });
    expect(got.message?.reactions).toMatchObject([{ name: '+1', users: [USERS.bob] }]);
  });
});

describe('weather', () => {
  test('too many messages get 429 and the seconds to wait', async () => {
    const post = () => client.chat.postMessage({ channel, text: 'x' });
    for (let i = 0; i < 5; i += 1) await post();
    expect(await errorOf(post())).toMatchObject({ code: 'slack_webapi_rate_limited_error', retryAfter: 1 });
    clock += 1000;
    expect(await post()).toMatchObject({ ok: true });
    await workspace.people.setRateLimits({ limits: 'off' });
    for (let i = 0; i < 10; i += 1) await post();
  });

  test('fifty updates a minute', async () => {
    const { ts = '' } = await client.chat.postMessage({ channel, text: 'x' });
    for (let i = 0; i < 50; i += 1) await client.chat.update({ channel, ts, text: `${i}` });
    clock += 10_000;
    expect(await errorOf(client.chat.update({ channel, ts, text: 'y' }))).toMatchObject({ retryAfter: 50 });
  });

  test('a call can be carried out and its answer lost', async () => {
    await workspace.people.failNext({ method: 'chat.postMessage', failure: 'timeout-after-accept' });
    expect(await errorOf(client.chat.postMessage({ channel, text: 'lost?' }))).toMatchObject({
      code: 'slack_webapi_request_error',
    });
    const { messages } = await workspace.people.read({ channel });
    expect(messages.map((m) => m.text)).toEqual(['lost?']);
    expect(await client.chat.postMessage({ channel, text: 'again' })).toMatchObject({ ok: true });
    const { calls } = await workspace.people.calls({ method: 'chat.postMessage' });
    expect(calls.map((c) => c.status)).toEqual([0, 200]);
    expect(JSON.stringify(calls)).not.toContain(workspace.slack.tokens.bot);
  });

  test.each(['503', 'drop'] as const)(
    'during an outage (%s) nothing is answered, afterwards all is',
    async (mode) => {
      await workspace.people.outage({ mode });
      expect(await errorOf(client.chat.postMessage({ channel, text: 'x' }))).toBeInstanceOf(Error);
      await workspace.people.outage({ mode: 'off' });
      expect(await client.chat.postMessage({ channel, text: 'x' })).toMatchObject({ ok: true });
    },
  );

  test('named errors, in their order', async () => {
    await workspace.people.failNext({ method: 'users.info', failure: 'internal_error', count: 2 });
    const info = () => client.users.info({ user: USERS.bob });
    expect(await errorOf(info())).toMatchObject({ error: 'internal_error' });
    expect(await errorOf(info())).toMatchObject({ error: 'internal_error' });
    expect(await info()).toMatchObject({ ok: true });
  });
});
