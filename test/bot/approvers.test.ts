import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readChannelHeads } from '../../src/bot/chain-heads.js';
import { judgeKind, SlackUser } from '../../src/bot/eligibility.js';
import type { People } from '../../src/runbook/people.js';
import { CHANNELS, createScene, GROUPS, poll, type Scene, USERS } from './support.js';

let scene: Scene;
beforeAll(async () => {
  scene = await createScene('approvers');
});
afterAll(() => scene.close());

let people: People;
beforeEach(async () => {
  const access = scene.accessFor();
  access.identity.start();
  await poll(async () => access.identity.current() ?? undefined);
  people = access.people;
});

describe('verdict', () => {
  it.each([
    [USERS.bob, [], 'eligible'],
    [USERS.bob, ['team'], 'eligible'],
    [USERS.carol, ['dba'], 'eligible'],
    [USERS.carol, [], 'eligible'],
    [USERS.bob, ['dba'], 'not_listed'],
    [USERS.bob, ['team', 'dba'], 'not_listed'],
    [USERS.dave, [], 'not_listed'],
    [USERS.gina, [], 'guest'],
    [USERS.gus, [], 'guest'],
    [USERS.stan, [], 'stranger'],
    [USERS.rob, [], 'bot'],
    [USERS.bot, [], 'bot'],
    [USERS.slackbot, [], 'bot'],
    [USERS.dora, [], 'deactivated'],
    ['U0NOBODY01', [], 'stranger'],
    [USERS.bob, ['no-such-list'], 'not_listed'],
  ])('of %s for %j is %s', async (user, lists, expected) => {
    const verdict = await people.verdict(user, lists);
    expect(verdict.kind === 'ineligible' ? verdict.code : verdict.kind).toBe(expected);
  });

  it('is asked again while Slack gives no answer, with the wait that Slack wants', async () => {
    for (const method of ['users.info', 'conversations.info', 'usergroups.users.list']) {
      for (const failure of ['ratelimited', 'internal_error', 'drop', 'http_500']) {
        await scene.people.failNext({ method, failure, count: 2 });
        expect(await people.verdict(USERS.carol, ['dba']), `${method} ${failure}`).toEqual({
          kind: 'eligible',
        });
      }
    }
  });

  it('is neither yes nor no when Slack gives none for longer, and nothing is remembered', async () => {
    await scene.people.outage({ mode: '503' });
    expect(await people.verdict(USERS.bob, [])).toMatchObject({
      kind: 'not_asked',
      why: expect.stringContaining('could not be looked up'),
    });
    await scene.people.outage({ mode: 'off' });
    expect(await people.verdict(USERS.bob, [])).toEqual({ kind: 'eligible' });
  });

  it('comes through while every third call meets a rate limit', async () => {
    let calls = 0;
    const limiter = createServer(async (request, response) => {
      calls += 1;
      if (calls % 3 === 0) {
        response.writeHead(429, { 'retry-after': '1' }).end('{"ok":false,"error":"ratelimited"}');
        return;
      }
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const answer = await fetch(new URL(request.url?.replace(/^\/+/, '') ?? '', scene.slack.url), {
        method: 'POST',
        headers: {
          authorization: request.headers.authorization ?? '',
          'content-type': request.headers['content-type'] ?? '',
        },
        body: Buffer.concat(chunks),
      });
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
    });
    await new Promise<void>((resolve) => limiter.listen(0, '127.0.0.1', resolve));
    const { port } = limiter.address() as AddressInfo;
    const access = scene.accessFor(undefined, `http://127.0.0.1:${port}/`);
    access.identity.start();
    await poll(async () => access.identity.current() ?? undefined);
    await scene.postRequest(3, 1);
    for (let look = 0; look < 4; look += 1) {
      expect(await access.people.verdict(USERS.carol, ['dba'])).toEqual({ kind: 'eligible' });
      expect(await access.people.signs({ run: 3, gate: 1, requestedAt: 0 })).toMatchObject({ kind: 'read' });
    }
    limiter.close();
    limiter.closeAllConnections();
  }, 60_000);

  it('is no when one answer is, whatever else has none', async () => {
    const code = { method: 'conversations.info', failure: 'brand_new_code', count: 1 };
    await scene.people.failNext(code);
    expect(await people.verdict(USERS.gina, [])).toMatchObject({ code: 'guest' });
    await scene.people.failNext(code);
    expect(await people.verdict(USERS.dave, [])).toMatchObject({ code: 'not_listed' });
    await scene.people.failNext(code);
    expect(await people.verdict(USERS.bob, [])).toMatchObject({ kind: 'not_asked' });
  });

  it('is no for everyone in a channel that is shared with another company', async () => {
    await scene.people.setChannel({ channel: CHANNELS.incident, isExtShared: true });
    expect(await people.verdict(USERS.bob, [])).toMatchObject({ code: 'shared_channel' });
    await scene.people.setChannel({ channel: CHANNELS.incident, isExtShared: false });
    expect(await people.verdict(USERS.bob, [])).toEqual({ kind: 'eligible' });
  });

  it('counts listed people alone on a plan without user groups, and says so', async () => {
    await scene.people.setPlan({ paid: false });
    expect(await people.verdict(USERS.bob, [])).toEqual({ kind: 'eligible' });
    expect(await people.verdict(USERS.carol, [])).toMatchObject({
      code: 'not_listed',
      why: expect.stringContaining('no user groups'),
    });
    const roster = await people.roster([]);
    expect(roster.problems).toEqual([expect.stringContaining(GROUPS.dba)]);
    await scene.people.setPlan({ paid: true });
  });

  it('follows a person who is made a guest', async () => {
    await scene.people.setUser({ user: USERS.bob, isRestricted: true });
    expect(await people.verdict(USERS.bob, [])).toMatchObject({ code: 'guest' });
    await scene.people.setUser({ user: USERS.bob, isRestricted: false });
    expect(await people.verdict(USERS.bob, [])).toEqual({ kind: 'eligible' });
  });
});

describe('roster', () => {
  it('lists who can approve, and who stands on a list without counting', async () => {
    const roster = await people.roster([]);
    expect([...roster.eligible].sort()).toEqual([USERS.alice, USERS.bob, USERS.carol].sort());
    expect(roster.ineligible.map((i) => i.user).sort()).toEqual(
      [USERS.gina, USERS.rob, USERS.dora, USERS.stan].sort(),
    );
    expect(roster.problems).toEqual([]);
  });

  it('names a list that does not exist', async () => {
    expect((await people.roster(['nobody'])).problems).toEqual([expect.stringContaining('nobody')]);
  });
});

describe('signs', () => {
  const request = (gate: number, requestedAt = 0) => ({ run: 1, gate, requestedAt });
  const nobody = { kind: 'read', by: { approve: [], refuse: [], stop: [] } };

  it('tell a message that is not there from one that cannot be read', async () => {
    expect(await people.signs(request(1))).toEqual({ kind: 'gone' });
    const ts = await scene.postRequest(1, 2);
    expect(await people.signs(request(2))).toEqual(nobody);
    for (const [user, emoji] of [
      [USERS.bob, '+1'],
      [USERS.bob, 'white_check_mark'],
      [USERS.carol, 'heavy_check_mark'],
      [USERS.dave, 'x'],
      [USERS.gina, 'octagonal_sign'],
      [USERS.gina, 'tada'],
    ] as const) {
      await scene.people.react({ user, channel: CHANNELS.incident, ts, emoji });
    }
    const signs = await people.signs(request(2));
    expect(signs.kind === 'read' ? signs.by.approve.length : 0).toBe(2);
    expect(signs).toEqual({
      kind: 'read',
      by: {
        approve: expect.arrayContaining([USERS.bob, USERS.carol]),
        refuse: [USERS.dave],
        stop: [USERS.gina],
      },
    });
    await scene.people.outage({ mode: '503' });
    expect(await people.signs(request(2))).toMatchObject({ kind: 'not_asked' });
    await scene.people.outage({ mode: 'off' });
  });

  it('of another message do not count, whatever the state database says it is', async () => {
    const ts = await scene.postRequest(1, 3);
    await scene.people.react({ user: USERS.bob, channel: CHANNELS.incident, ts, emoji: '+1' });
    const put = (at: string) =>
      scene.posted.put({ key: 'run:1:gate:4', channel: CHANNELS.incident, ts: at, hash: '', position: 1 });
    await put(ts);
    expect(await people.signs(request(4))).toEqual({ kind: 'gone' });
    // A person may write what the bot writes.
    const { ts: said = '' } = await scene.people.say({
      user: USERS.carol,
      channel: CHANNELS.incident,
      text: 'Run 1, request 4',
    });
    await scene.people.react({ user: USERS.bob, channel: CHANNELS.incident, ts: said, emoji: '+1' });
    await put(said);
    expect(await people.signs(request(4))).toEqual({ kind: 'gone' });
  });

  it('of a message that is older than its request do not count', async () => {
    await scene.postRequest(1, 5);
    expect(await people.signs(request(5, Date.now()))).toEqual(nobody);
    expect(await people.signs(request(5, Date.now() + 3_600_000))).toEqual({ kind: 'gone' });
  });
});

describe('heads of the journal in the channel', () => {
  const head = (c: string) => `Journal position 12, chain \`${c.repeat(64)}\``;

  it('are those that the bot wrote and that stand there still', async () => {
    const { client, botUserId } = await slackOf();
    const since = Date.now() / 1_000;
    const post = async (text: string) =>
      (await client.chat.postMessage({ channel: CHANNELS.incident, text })).ts ?? '';
    await post(`Done. ${head('a')}`);
    const gone = await post(head('b'));
    await scene.people.say({ user: USERS.carol, channel: CHANNELS.incident, text: head('c') });
    await scene.people.deleteMessage({ channel: CHANNELS.incident, ts: gone });
    const place = { channel: CHANNELS.incident, botUserId, sinceMs: since * 1_000 - 1 };
    expect(await readChannelHeads(client, place)).toEqual([
      { position: 12, hash: 'a'.repeat(64), place: 'channel' },
    ]);
    expect(await readChannelHeads(client, { ...place, sinceMs: Date.now() + 60_000 })).toEqual([]);
  });

  async function slackOf() {
    const access = scene.accessFor();
    access.identity.start();
    const identity = await poll(async () => access.identity.current() ?? undefined);
    return { client: access.clients.background, botUserId: identity.userId };
  }
});

describe('judgeKind', () => {
  const user = (changes: object) =>
    SlackUser.parse({
      id: 'U1',
      team_id: 'T2',
      is_bot: false,
      is_restricted: false,
      is_ultra_restricted: false,
      ...changes,
    });
  const identity = { userId: 'UB', botId: 'BB', teamId: 'T1', enterpriseId: 'E1' };

  it('takes people of our enterprise from its other workspaces, and of nobody else’s', () => {
    const ours = user({ enterprise_user: { enterprise_id: 'E1' } });
    expect(judgeKind(ours, 'T1', identity)).toEqual({ kind: 'eligible' });
    expect(judgeKind(ours, 'T1', { ...identity, enterpriseId: null })).toMatchObject({
      code: 'other_workspace',
    });
    expect(judgeKind(ours, 'T1', null)).toMatchObject({ kind: 'not_asked' });
    const theirs = user({ enterprise_user: { enterprise_id: 'E2' } });
    expect(judgeKind(theirs, 'T1', identity)).toMatchObject({ code: 'other_workspace' });
  });

  it('does not guess at what a record leaves out', () => {
    expect(SlackUser.safeParse({ id: 'U1', team_id: 'T1', is_bot: false }).success).toBe(false);
  });
});
