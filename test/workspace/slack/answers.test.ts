import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebClient } from '@slack/web-api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CHANNELS, USERS } from '../../../workspace/slack/people.js';
import { connectBolt, openWorkspace, type Workspace } from './support.js';

let workspace: Workspace;
let clock = 1_700_000_000_000;
const channel = CHANNELS.incident;

beforeEach(async () => {
  workspace = await openWorkspace({ now: () => clock });
});
afterEach(async () => workspace.close());

async function commandPayload() {
  let body = { response_url: '', trigger_id: '' };
  await connectBolt(workspace, (app) => {
    app.command('/m10', async ({ command, ack }) => {
      body = command;
      await ack();
    });
  });
  await workspace.people.say({ user: USERS.alice, channel, text: '/m10 help' });
  return body;
}

async function post(url: string, body: unknown) {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  return [response.status, await response.json()];
}

test('a response_url takes five answers', async () => {
  const { response_url } = await commandPayload();
  for (let i = 0; i < 5; i += 1)
    expect(await post(response_url, { text: `${i}` })).toEqual([200, { ok: true }]);
  expect(await post(response_url, { text: '6' })).toEqual([404, { ok: false, error: 'used_url' }]);
  const { ephemerals } = await workspace.people.ephemerals({ user: USERS.alice });
  expect(ephemerals.map((e) => e.text)).toEqual(['0', '1', '2', '3', '4']);
});

test('a response_url dies after thirty minutes and refuses bad blocks', async () => {
  const { response_url } = await commandPayload();
  const blocks = [{ type: 'section' }];
  expect(await post(response_url, { text: 'x', blocks })).toMatchObject([400, { error: 'invalid_blocks' }]);
  clock += 30 * 60_000;
  expect(await post(response_url, { response_type: 'in_channel', text: 'all see this' })).toMatchObject([
    200,
    {},
  ]);
  await workspace.people.waitFor(channel, (m) => m.text === 'all see this' && m.user === USERS.bot);
  clock += 1;
  expect(await post(response_url, { text: 'late' })).toEqual([404, { ok: false, error: 'expired_url' }]);
});

test('a trigger opens one modal within three seconds', async () => {
  const { trigger_id } = await commandPayload();
  const client = new WebClient(workspace.slack.tokens.bot, { slackApiUrl: workspace.slack.url });
  const view = {
    type: 'modal' as const,
    title: { type: 'plain_text' as const, text: 'Skip' },
    blocks: [{ type: 'divider' as const }],
  };
  const open = (trigger: string) => client.views.open({ trigger_id: trigger, view });
  await expect(open('1.2.3')).rejects.toMatchObject({ data: { error: 'invalid_trigger_id' } });
  const opened = await open(trigger_id);
  await expect(open(trigger_id)).rejects.toMatchObject({ data: { error: 'exchanged_trigger_id' } });
  const said = await workspace.people.say({ user: USERS.alice, channel, text: '/m10' });
  clock += 3001;
  await expect(open(said.trigger_id ?? '')).rejects.toMatchObject({ data: { error: 'expired_trigger_id' } });

  const view_id = opened.view?.id ?? '';
  const title = { type: 'plain_text' as const, text: 'Skip step 3' };
  const update = (hash: string) => client.views.update({ view_id, hash, view: { ...view, title } });
  await expect(update('1.old')).rejects.toMatchObject({ data: { error: 'hash_conflict' } });
  await update(opened.view?.hash ?? '');
  const { views } = await workspace.people.views({ user: USERS.alice });
  expect(views).toMatchObject([{ id: view_id, view: { title } }]);
  await workspace.people.closeView({ user: USERS.alice, view_id });
  expect((await workspace.people.views({ user: USERS.alice })).views).toEqual([]);
});

test('the Home tab of an app that has one shows what was published, and opening it is an event', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'm10-manifest-'));
  const manifestPath = join(folder, 'manifest.yml');
  const own = await readFile('manifest.yml', 'utf8');
  await writeFile(manifestPath, own.replace('home_tab_enabled: false', 'home_tab_enabled: true'));
  await workspace.close();
  workspace = await openWorkspace({ now: () => clock, manifestPath });
  workspace.onClose(() => rm(folder, { recursive: true }));
  await connectBolt(workspace, (app) => {
    app.event('app_home_opened', async ({ event, client }) => {
      const text = { type: 'plain_text' as const, text: 'No run is open' };
      await client.views.publish({
        user_id: event.user,
        view: { type: 'home', blocks: [{ type: 'header', text }] },
      });
    });
  });
  expect(await workspace.people.openHome({ user: USERS.bob })).toEqual({ home: null });
  const home = await workspace.people.until(
    async () => (await workspace.people.views({ user: USERS.bob })).home ?? undefined,
  );
  expect(home.view).toMatchObject({ type: 'home', blocks: [{ text: { text: 'No run is open' } }] });
});

test('buttons in a message that one person sees can replace it', async () => {
  const app = await connectBolt(workspace, (bolt) => {
    bolt.action('more', async ({ ack, respond }) => {
      await ack();
      await respond({ replace_original: true, text: 'more' });
    });
  });
  const button = {
    type: 'button' as const,
    action_id: 'more',
    text: { type: 'plain_text' as const, text: 'More' },
  };
  const blocks = [{ type: 'actions' as const, elements: [button] }];
  const { message_ts: ts = '' } = await app.client.chat.postEphemeral({
    channel,
    user: USERS.dave,
    text: 'less',
    blocks,
  });
  const at = { channel, ts, action_id: 'more' };
  await expect(workspace.people.press({ user: USERS.bob, ...at })).rejects.toMatchObject({
    code: 'message_not_found',
  });
  await workspace.people.press({ user: USERS.dave, ...at });
  const after = await workspace.people.waitForEphemeral(USERS.dave, (e) => e.text === 'more');
  expect(after).toMatchObject({ ts, blocks: [] });
});
