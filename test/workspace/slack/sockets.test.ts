import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { CHANNELS, USERS } from '../../../workspace/slack/people.js';
import { openWorkspace, type Workspace } from './support.js';

let workspace: Workspace | undefined;
afterEach(async () => workspace?.close());

const envelope = z.looseObject({ type: z.string(), envelope_id: z.string().optional() });
const opened = z.object({ ok: z.literal(true), url: z.string() });

async function address({ slack }: Workspace): Promise<string> {
  const response = await fetch(`${slack.url}apps.connections.open`, {
    method: 'POST',
    headers: { authorization: `Bearer ${slack.tokens.app}` },
  });
  return opened.parse(await response.json()).url;
}

/** A socket that keeps what it gets and acknowledges all of it. */
async function connect(space: Workspace, url: string) {
  const got: z.output<typeof envelope>[] = [];
  const socket = new WebSocket(url);
  socket.on('message', (data) => {
    const message = envelope.parse(JSON.parse(String(data)));
    got.push(message);
    if (message.envelope_id !== undefined) {
      socket.send(JSON.stringify({ envelope_id: message.envelope_id, payload: { text: `${got.length}` } }));
    }
  });
  await new Promise((resolve, reject) => {
    socket.once('message', resolve);
    socket.once('error', reject);
  });
  space.onClose(async () => socket.close());
  return { socket, got };
}

test('a ticket is good once, and a made-up one never', async () => {
  workspace = await openWorkspace();
  const url = await address(workspace);
  const first = await connect(workspace, url);
  expect(first.got[0]).toMatchObject({
    type: 'hello',
    num_connections: 1,
    debug_info: {},
    connection_info: {},
  });
  await expect(connect(workspace, url)).rejects.toThrow('401');
  await expect(connect(workspace, url.replace(/ticket=[^&]+/, 'ticket=x'))).rejects.toThrow('401');
});

test('deliveries go to one socket each, in turn, and a socket told to leave gets none', async () => {
  workspace = await openWorkspace();
  const { people } = workspace;
  const one = await connect(workspace, await address(workspace));
  const two = await connect(workspace, await address(workspace));
  expect(two.got[0]).toMatchObject({ num_connections: 2 });
  const say = () => people.say({ user: USERS.bob, channel: CHANNELS.incident, text: '/m10 help' });
  for (let i = 0; i < 4; i += 1) expect(await say()).toMatchObject({ ok: true });
  const commands = (side: typeof one) => side.got.filter((m) => m.type === 'slash_commands');
  expect([commands(one).length, commands(two).length]).toEqual([2, 2]);
  expect(commands(one)[0]).toMatchObject({ accepts_response_payload: true });
  await people.dropSockets({ how: 'warning' });
  expect(await say()).toMatchObject({ ok: false, error: 'dispatch_failed' });
  expect(one.got.at(-1)).toMatchObject({ type: 'disconnect', reason: 'warning' });
});

test('an event can come twice, the second time as a retry', async () => {
  workspace = await openWorkspace();
  const { people } = workspace;
  const { got } = await connect(workspace, await address(workspace));
  const { ts = '' } = await people.say({ user: USERS.alice, channel: CHANNELS.incident, text: 'x' });
  await people.react({ user: USERS.bob, channel: CHANNELS.incident, ts, emoji: 'x' });
  await people.redeliver({});
  const events = await people.until(async () => {
    const all = got.filter((m) => m.type === 'events_api');
    return all.length === 2 ? all : undefined;
  });
  expect(events[0]).toMatchObject({ retry_attempt: 0, accepts_response_payload: false });
  expect(events[1]).toMatchObject({ retry_attempt: 1, retry_reason: 'timeout', payload: events[0]?.payload });
});
