import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHANNELS, createScene, poll, type Scene, USERS } from './support.js';

let scene: Scene;
beforeEach(async () => {
  scene = await createScene('inbox');
});
afterEach(() => scene.close());

/** A promise that is kept when the test says so. */
function held<T>(): { promise: Promise<T>; release(value: T): void } {
  let release: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    release = resolve;
  });
  return { promise, release };
}

const openedRuns = async () =>
  (await scene.journal.readAll(0, 1_000)).filter((e) => e.type === 'RunOpened').length;
const finished = () =>
  poll(async () => {
    const { rowCount } = await scene.pool.query(`SELECT FROM m10bot.inbox WHERE state <> 'done'`);
    return rowCount === 0 ? true : undefined;
  });

describe('a process that dies', () => {
  it('before the effect of a delivery: the next one brings it about, once', async () => {
    const number = held<number>();
    const dying = await scene.startBot('socket', {
      nextRunNumber: () => number.promise,
      inboxWork: { everyMs: 60_000, leaseMs: 200 },
    });
    expect((await scene.say(USERS.alice, '/m10 preflight')).ok).toBe(true);
    await poll(async () => {
      const { rows } = await scene.pool.query<{ owner: string | null }>('SELECT owner FROM m10bot.inbox');
      return rows[0]?.owner ?? undefined;
    });
    expect(await openedRuns()).toBe(0);
    await scene.startBot();
    await poll(async () => ((await openedRuns()) === 1 ? true : undefined));
    await finished();
    // The first one was not dead but slow: its effect is not a second one.
    number.release(1_000);
    await dying.stop();
    expect(await openedRuns()).toBe(1);
    const { ephemerals } = await scene.people.ephemerals({ user: USERS.alice });
    expect(ephemerals.map((e) => e.text).filter((t) => t.includes('not done'))).toEqual([]);
  });

  it('after the effect and before it could note that: the effect is not repeated', async () => {
    const noted = held<void>();
    const dying = await scene.startBot('socket', {
      inbox: { ...scene.inbox, finish: () => noted.promise },
      inboxWork: { everyMs: 60_000, leaseMs: 200 },
    });
    await scene.ask(USERS.alice, '/m10 preflight');
    // Of somebody else: hers would wait for the first one to be done.
    await scene.ask(USERS.dave, '/m10 next');
    for (const text of ['/m10 stop it', '/m10 nonsense']) await scene.ask(USERS.alice, text);
    const before = await scene.journal.head();
    await scene.startBot();
    await finished();
    expect((await scene.journal.head()).position).toBe(before.position);
    noted.release();
    await dying.stop();
  });
});

describe('a database that fails', () => {
  it('leaves an event unacknowledged over a socket, and Slack’s next delivery counts', async () => {
    let broken = true;
    await scene.startBot('socket', {
      inbox: {
        ...scene.inbox,
        receive: (delivery) =>
          broken && delivery.kind === 'reaction'
            ? Promise.reject(new Error('no connection'))
            : scene.inbox.receive(delivery),
      },
    });
    await scene.ask(USERS.alice, '/m10 preflight');
    await scene.ask(USERS.alice, '/m10 next');
    const { ts } = await scene.openRequest(1);
    await scene.people.react({ user: USERS.bob, channel: CHANNELS.incident, ts, emoji: '+1' });
    await poll(async () => scene.log.lines.find((l) => JSON.stringify(l.fields).includes('no connection')));
    broken = false;
    await poll(async () => ((await scene.state(1)).gates[0]?.approvals.length === 1 ? true : undefined));
    const { events } = await scene.people.deliveries({});
    expect(events.at(-1)?.attempts.at(0)).not.toBe('acknowledged');
  });

  it('is an error over HTTP, and nothing is done', async () => {
    await scene.startBot('http', {
      inbox: { ...scene.inbox, receive: () => Promise.reject(new Error('no connection')) },
    });
    expect(await scene.say(USERS.alice, '/m10 preflight')).toMatchObject({ ok: false });
    expect(await scene.say(USERS.alice, '/m10 status')).toMatchObject({ ok: false });
    expect(await openedRuns()).toBe(0);
  });

  it('tells the person when a command is given up', async () => {
    await scene.startBot('socket', { nextRunNumber: () => Promise.reject(new Error('no connection')) });
    const answer = await scene.ask(USERS.alice, '/m10 preflight');
    expect(answer.text).toContain('failed several times');
    expect(answer.text).toContain('/m10 status');
  });
});

describe('a redelivery', () => {
  it('has no second effect', async () => {
    await scene.startBot();
    await scene.ask(USERS.alice, '/m10 preflight');
    await scene.ask(USERS.alice, '/m10 next');
    const { ts } = await scene.openRequest(1);
    await scene.people.react({ user: USERS.dave, channel: CHANNELS.incident, ts, emoji: '+1' });
    const rejected = async () =>
      (await scene.events('run:1')).filter((e) => e.type === 'ReactionRejected').length;
    await poll(async () => ((await rejected()) === 1 ? true : undefined));
    await finished();
    await scene.people.redeliver({ count: 1 });
    await poll(async () => {
      const { rows } = await scene.pool.query<{ most: number }>(
        'SELECT max(deliveries) AS most FROM m10bot.inbox',
      );
      return rows[0]?.most === 2 ? true : undefined;
    });
    await finished();
    expect(await rejected()).toBe(1);
  });
});

describe('over HTTP', () => {
  const body = new URLSearchParams({
    command: '/m10',
    text: 'status',
    user_id: USERS.dave,
    channel_id: CHANNELS.incident,
    team_id: 'T0M10TEAM1',
    trigger_id: '1.2.3',
  }).toString();

  function post(port: number | null, stampSeconds: number, secret = scene.slack.signingSecret) {
    const signature = createHmac('sha256', secret).update(`v0:${stampSeconds}:${body}`).digest('hex');
    return fetch(`http://127.0.0.1:${port}/slack/events`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-slack-request-timestamp': String(stampSeconds),
        'x-slack-signature': `v0=${signature}`,
      },
      body,
    });
  }

  it('takes signed requests of the last and the next five minutes alone', async () => {
    const bot = await scene.startBot('http');
    const seconds = Math.floor(Date.now() / 1_000);
    const answer = await post(bot.port(), seconds);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ response_type: 'in_channel' });
    expect((await post(bot.port(), seconds + 200)).status).toBe(200);
    expect((await post(bot.port(), seconds + 400)).status).toBe(401);
    expect((await post(bot.port(), seconds - 400)).status).toBe(401);
    expect((await post(bot.port(), seconds, 'another secret')).status).toBe(401);
  });

  it('says whether it lives and whether it is ready', async () => {
    let ready = true;
    const bot = await scene.startBot('http', { ready: async () => ready });
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${bot.port()}${path}`)).status;
    expect(await get('/healthz')).toBe(200);
    expect(await get('/readyz')).toBe(200);
    ready = false;
    expect(await get('/readyz')).toBe(503);
    expect(await get('/healthz')).toBe(200);
    expect(await get('/elsewhere')).toBe(404);
  });
});

describe('Slack that is down at start', () => {
  it.each(['socket', 'http'] as const)('is waited for (%s)', async (mode) => {
    await scene.people.outage({ mode: 'drop' });
    const bot = scene.makeBot(mode);
    await bot.start();
    expect(bot.botUserId()).toBeNull();
    if (mode === 'socket') expect(bot.connected()).toBe(false);
    await scene.people.outage({ mode: 'off' });
    await poll(async () => (bot.connected() && bot.botUserId() === USERS.bot ? true : undefined));
  });
});

describe('a socket', () => {
  it.each(['cut', 'refresh_requested', 'warning', 'link_disabled'] as const)(
    'that ends by "%s" is replaced',
    async (how) => {
      const bot = await scene.startBot();
      const sockets = async () => (await scene.people.deliveries({})).sockets;
      expect(await sockets()).toBe(1);
      await scene.people.dropSockets({ how });
      await poll(async () => (scene.log.lines.some((l) => l.message.includes('ended')) ? true : undefined));
      await poll(async () => (bot.connected() && (await sockets()) === 1 ? true : undefined));
      expect((await scene.say(USERS.dave, '/m10 status')).ok).toBe(true);
    },
  );
});
