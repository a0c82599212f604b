import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { createConnection } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BotApp } from '../../src/bot/app.js';
import { foreignBecause } from '../../src/bot/origin.js';
import { refuseResponseUrl } from '../../src/bot/response-url.js';
import { APP, OTHER_TEAM_ID, TEAM } from '../../workspace/slack/people.js';
import { CHANNELS, createScene, poll, type Scene, USERS } from './support.js';

let scene: Scene;
let bot: BotApp;
beforeAll(async () => {
  scene = await createScene('foreign', { retryScheduleMs: [] });
  bot = await scene.startBot('http');
  // What the bot is of is known once Slack has said it.
  await poll(async () => ((await asked('users.info')) ? true : undefined));
  await scene.ask(USERS.alice, '/m10 preflight');
});
afterAll(() => scene.close());

const rejections: unknown[] = [];
const note = (error: unknown) => void rejections.push(error);
beforeEach(() => {
  rejections.length = 0;
  process.on('unhandledRejection', note);
});
afterEach(() => {
  process.off('unhandledRejection', note);
  expect(rejections).toEqual([]);
});

async function asked(method: string): Promise<boolean> {
  return (await scene.people.calls({})).calls.some((call) => call.method === method);
}

const FORM = 'application/x-www-form-urlencoded';

/** A delivery that Slack has signed. */
async function deliver(body: string, type = FORM) {
  const stamp = Math.floor(Date.now() / 1_000);
  const signature = createHmac('sha256', scene.slack.signingSecret)
    .update(`v0:${stamp}:${body}`)
    .digest('hex');
  return fetch(`http://127.0.0.1:${bot.port()}/slack/events`, {
    method: 'POST',
    headers: {
      'content-type': type,
      'x-slack-request-timestamp': String(stamp),
      'x-slack-signature': `v0=${signature}`,
    },
    body,
  });
}

let triggers = 0;
const command = (changes: Record<string, string> = {}) => {
  triggers += 1;
  return new URLSearchParams({
    command: '/m10',
    text: 'stop now',
    user_id: USERS.dave,
    channel_id: CHANNELS.incident,
    team_id: TEAM.id,
    api_app_id: APP.id,
    trigger_id: `1.2.${triggers}`,
    ...changes,
  }).toString();
};

const stopped = async () => (await scene.state(1)).stopped;
const stored = async () => (await scene.pool.query('SELECT FROM m10bot.inbox')).rowCount;

describe('a signed delivery of another installation', () => {
  it.each([
    ['workspace', { team_id: OTHER_TEAM_ID }],
    ['app', { api_app_id: 'A0ANOTHER1' }],
  ])('is refused, logged, and stored nowhere: its %s', async (_, changes) => {
    const before = await stored();
    const lines = scene.log.lines.length;
    const answer = await deliver(command(changes));
    expect(answer.status).toBe(403);
    expect(answer.headers.get('x-slack-no-retry')).toBe('1');
    expect(await stopped()).toBeNull();
    expect(await stored()).toBe(before);
    const told = scene.log.lines.slice(lines).map((each) => JSON.stringify(each));
    expect(told.filter((each) => each.includes('refused') && each.includes('expected'))).toHaveLength(1);
  });

  it('is one as an event or a button as well', async () => {
    const before = await stored();
    const event = {
      type: 'event_callback',
      team_id: OTHER_TEAM_ID,
      api_app_id: APP.id,
      event_id: 'Ev1',
      authorizations: [{ team_id: OTHER_TEAM_ID, enterprise_id: null }],
      event: {
        type: 'reaction_added',
        user: USERS.bob,
        reaction: 'octagonal_sign',
        item: { type: 'message', channel: CHANNELS.incident, ts: '1.2' },
      },
    };
    expect((await deliver(JSON.stringify(event), 'application/json')).status).toBe(403);
    const button = {
      type: 'block_actions',
      team: { id: OTHER_TEAM_ID },
      api_app_id: APP.id,
      user: { id: USERS.bob },
      channel: { id: CHANNELS.incident },
      trigger_id: '9.9',
      actions: [{ action_id: 'run_stop', value: '', action_ts: '1' }],
    };
    const form = new URLSearchParams({ payload: JSON.stringify(button) }).toString();
    expect((await deliver(form)).status).toBe(403);
    expect(await stored()).toBe(before);
  });

  it('is not what a person of another company does in a channel that is shared with ours', () => {
    const identity = {
      userId: 'U1',
      botId: 'B1',
      teamId: 'T1',
      enterpriseId: null,
      appId: 'A1',
    };
    const ours = { api_app_id: 'A1', team_id: 'T2', authorizations: [{ team_id: 'T1' }] };
    expect(foreignBecause(ours, 'T1', identity)).toBeNull();
    expect(foreignBecause({ ...ours, authorizations: [] }, 'T1', identity)).toContain('workspace');
    // One of an organisation that has the app for all its workspaces.
    const wide = { api_app_id: 'A1', team: null, enterprise: { id: 'E1' }, is_enterprise_install: true };
    expect(foreignBecause(wide, 'T1', { ...identity, enterpriseId: 'E1' })).toBeNull();
    expect(foreignBecause(wide, 'T1', { ...identity, enterpriseId: 'E2' })).toContain('workspace');
    expect(foreignBecause({}, 'T1', null)).toContain('workspace');
    expect(foreignBecause({ team_id: 'T1', api_app_id: 'A2' }, 'T1', identity)).toContain('app');
    // Before Slack has said which app it is.
    expect(foreignBecause({ team_id: 'T1' }, 'T1', null)).toBeNull();
  });
});

describe('a body that is no JSON object', () => {
  it.each([
    ['payload=null', FORM],
    ['payload=%5B%5D', FORM],
    ['payload=7', FORM],
    ['payload=%22text%22', FORM],
    ['payload=true', FORM],
    ['payload=%7B', FORM],
    ['null', 'application/json'],
    ['[1, 2]', 'application/json'],
    ['"text"', 'application/json'],
    ['0', 'application/json'],
    ['', 'application/json'],
  ])('%s is answered 400', async (body, type) => {
    expect((await deliver(body, type)).status).toBe(400);
  });

  it('is not even read when it is too long, and what no route takes is not found', async () => {
    expect((await deliver(`payload=${'x'.repeat(2_000_000)}`)).status).toBe(413);
    const url = `http://127.0.0.1:${bot.port()}`;
    expect((await fetch(`${url}/slack/events`)).status).toBe(404);
    expect((await fetch(`${url}/elsewhere`, { method: 'POST', body: 'null' })).status).toBe(404);
    expect(await raw('GET // HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 404/);
  });

  it('leaves the bot able to take the next delivery', async () => {
    expect((await deliver(command({ text: 'status' }))).status).toBe(200);
  });
});

/** Sends bytes as they are. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port: bot.port() ?? 0, host: '127.0.0.1' }, () => socket.write(text));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += String(chunk);
    });
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
  });
}

describe('an answer by response_url', () => {
  /** A server that is not Slack, or an address of Slack's that redirects to it. */
  async function elsewhere(): Promise<{ url: string; got: string[]; close(): Promise<void> }> {
    const got: string[] = [];
    const server = createServer((request, response) => {
      got.push(request.url ?? '');
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('no port');
    const close = async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    };
    return { url: `http://127.0.0.1:${address.port}/hook`, got, close };
  }

  it('goes to Slack alone; the person hears it otherwise', async () => {
    const trap = await elsewhere();
    try {
      await deliver(command({ text: 'next please', response_url: trap.url, user_id: USERS.dave }));
      const heard = await scene.people.waitForEphemeral(USERS.dave, (e) => e.text.includes('takes nothing'));
      expect(heard.via).toBe('postEphemeral');
      expect(trap.got).toEqual([]);
    } finally {
      await trap.close();
    }
  });

  it('follows no redirect', async () => {
    const trap = await elsewhere();
    const slack = createServer((_, response) => {
      response.writeHead(307, { location: trap.url }).end();
    });
    await new Promise<void>((resolve) => slack.listen(0, '127.0.0.1', resolve));
    const address = slack.address();
    const base = typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';
    const { createAnswers } = await import('../../src/bot/answers.js');
    const { clients } = scene.accessFor();
    const answer = createAnswers({
      client: clients.interactive,
      apiUrl: `${base}/api/`,
      incidentChannel: CHANNELS.incident,
      log: scene.log,
    });
    try {
      const asker = { user: USERS.bob, channel: CHANNELS.incident, responseUrl: `${base}/commands/1` };
      await answer(asker, { text: 'the state of the migration', blocks: [] }, false);
      expect(trap.got).toEqual([]);
      await scene.people.waitForEphemeral(USERS.bob, (e) => e.text === 'the state of the migration');
    } finally {
      slack.closeAllConnections();
      await new Promise((resolve) => slack.close(resolve));
      await trap.close();
    }
  });

  it.each([
    ['https://hooks.slack.com/commands/T1/2/3', true],
    ['https://hooks.slack-gov.com/actions/T1/2/3', true],
    ['http://hooks.slack.com/commands/T1/2/3', false],
    ['https://hooks.slack.com:8443/commands', false],
    ['https://hooks.slack.com.evil.example/commands', false],
    ['https://hooks.slack.com@evil.example/commands', false],
    ['https://user:secret@hooks.slack.com/commands', false],
    ['https://evil.example/hooks.slack.com', false],
    ['http://169.254.169.254/latest/meta-data', false],
    ['file:///etc/passwd', false],
    ['not a URL', false],
  ])('%s: %s', (url, may) => {
    expect(refuseResponseUrl(url, 'https://slack.com/api/') === null).toBe(may);
  });
});

describe('the address that deliveries come to', () => {
  it('is the one of the configuration', async () => {
    const { createHttpConnection } = await import('../../src/bot/http-connection.js');
    const { connection } = createHttpConnection({
      signingSecret: 'secret',
      port: 0,
      host: '127.0.0.2',
      log: scene.log,
      ready: async () => true,
      now: Date.now,
      onConnected: () => undefined,
    });
    await connection.start();
    try {
      const port = connection.port();
      expect((await fetch(`http://127.0.0.2:${port}/healthz`)).status).toBe(200);
      await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
    } finally {
      await connection.stop();
    }
  });
});
