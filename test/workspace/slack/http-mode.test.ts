import { createServer } from 'node:http';
import { App, HTTPReceiver, LogLevel } from '@slack/bolt';
import { afterEach, describe, expect, test } from 'vitest';
import { CHANNELS, USERS } from '../../../workspace/slack/people.js';
import { openWorkspace, type Workspace } from './support.js';

let workspace: Workspace | undefined;
afterEach(async () => {
  await workspace?.close();
  workspace = undefined;
});

const channel = CHANNELS.incident;

/** A Bolt app on a free port, registered with the stand-in. */
async function listenBolt(
  { slack, people, onClose }: Workspace,
  prepare: (app: App) => void,
  signingSecret = slack.signingSecret,
) {
  const receiver = new HTTPReceiver({ signingSecret, logLevel: LogLevel.ERROR });
  const app = new App({
    token: slack.tokens.bot,
    receiver,
    logLevel: LogLevel.ERROR,
    clientOptions: { slackApiUrl: slack.url },
  });
  prepare(app);
  const server = await receiver.start(0);
  onClose(() => app.stop());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await people.setMode({ mode: { http: `http://127.0.0.1:${port}/slack/events` } });
  return app;
}

/** An app that answers every request with what `reply` gives, and keeps what it was sent. */
async function listenBare(
  space: Workspace,
  reply: (body: string) => { status: number; body: string } | undefined,
) {
  const seen: Record<string, unknown>[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const body = Buffer.concat(chunks).toString();
    const answer = body.includes('url_verification')
      ? { status: 200, body: String(JSON.parse(body).challenge) }
      : reply(body);
    if (!body.includes('url_verification')) seen.push(request.headers);
    if (answer !== undefined) response.writeHead(answer.status).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  space.onClose(async () => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await space.people.setMode({ mode: { http: `http://127.0.0.1:${port}/` } });
  return seen;
}

describe('signed HTTP with Bolt', () => {
  test('commands, buttons and reactions arrive and are answered', async () => {
    workspace = await openWorkspace();
    const { people } = workspace;
    const app = await listenBolt(workspace, (bolt) => {
      bolt.command('/m10', async ({ command, ack }) =>
        ack({ response_type: 'in_channel', text: `${command.user_name}: ${command.text}` }),
      );
      bolt.action('go', async ({ ack, respond }) => {
        await ack();
        await respond({ replace_original: true, text: 'Gone' });
      });
      bolt.event('reaction_added', async ({ event, say }) => {
        await say(`saw ${event.reaction}`);
      });
    });
    expect(await people.say({ user: USERS.bob, channel, text: '/m10 status' })).toMatchObject({
      ok: true,
      responses: [],
    });
    await people.waitFor(channel, (m) => m.text === 'bob: status');
    const button = {
      type: 'button' as const,
      action_id: 'go',
      text: { type: 'plain_text' as const, text: 'Go' },
    };
    const { ts = '' } = await app.client.chat.postMessage({
      channel,
      text: 'Go?',
      blocks: [{ type: 'actions', elements: [button] }],
    });
    expect(await people.press({ user: USERS.bob, channel, ts, action_id: 'go' })).toMatchObject({ ok: true });
    const replaced = await people.waitFor(channel, (m) => m.ts === ts && m.text === 'Gone');
    expect(replaced.blocks).toEqual([]);
    await people.react({ user: USERS.bob, channel, ts, emoji: 'eyes' });
    await people.waitFor(channel, (m) => m.text === 'saw eyes');
  });

  test('an app with another signing secret is not accepted as an address', async () => {
    workspace = await openWorkspace();
    const space = workspace;
    await expect(listenBolt(space, () => {}, 'another')).rejects.toMatchObject({
      code: 'url_verification_failed',
    });
  });

  test('a refused event comes again with the headers of a retry', async () => {
    workspace = await openWorkspace({ retryScheduleMs: [0, 10, 10] });
    const { people } = workspace;
    let refusals = 2;
    const seen = await listenBare(workspace, () => {
      refusals -= 1;
      return { status: refusals >= 0 ? 500 : 200, body: '' };
    });
    const { ts = '' } = await people.say({ user: USERS.alice, channel, text: 'hello' });
    await people.react({ user: USERS.bob, channel, ts, emoji: 'x' });
    const event = await people.until(async () => {
      const [first] = (await people.deliveries({})).events;
      return first?.attempts.at(-1) === 'acknowledged' ? first : undefined;
    });
    expect(event.attempts).toEqual(['refused', 'refused', 'acknowledged']);
    expect(seen.map((h) => [h['x-slack-retry-num'], h['x-slack-retry-reason']])).toEqual([
      [undefined, undefined],
      ['1', 'http_error'],
      ['2', 'http_error'],
    ]);
  });

  test('a person is told when the app is too slow, fails, or answers with bare text', async () => {
    workspace = await openWorkspace({ ackTimeoutMs: 80 });
    const { people } = workspace;
    await listenBare(workspace, (body) => {
      if (body.includes('text=slow')) return undefined;
      return body.includes('text=broken')
        ? { status: 500, body: 'oops' }
        : { status: 200, body: 'bare words' };
    });
    const say = (text: string) => people.say({ user: USERS.alice, channel, text });
    expect(await say('/m10 slow')).toMatchObject({ ok: false, error: 'operation_timeout' });
    expect(await say('/m10 broken')).toMatchObject({ ok: false, error: 'dispatch_failed' });
    expect(await say('/m10 fine')).toMatchObject({ ok: true, responses: [{ text: 'bare words' }] });
  });
});
