import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BotApp } from '../../src/bot/app.js';
import { CHANNELS, createScene, poll, type Scene, USERS } from './support.js';

let scene: Scene;
let bot: BotApp;
beforeAll(async () => {
  // No second delivery: what is lost is lost.
  scene = await createScene('gates', { retryScheduleMs: [] });
  bot = await scene.startBot();
});
afterAll(() => scene.close());

/** A fresh run with its first phase asked for; what was open is closed. */
async function freshRun(): Promise<number> {
  const [held] = await scene.runs.holders(['staging']);
  if (held !== undefined) await scene.ask(USERS.alice, '/m10 close next test');
  await scene.ask(USERS.alice, '/m10 preflight');
  await scene.ask(USERS.alice, '/m10 next');
  const [{ run } = expect.unreachable()] = await scene.runs.holders(['staging']);
  return run;
}

const gateOf = async (run: number, gate: number) =>
  (await scene.state(run)).gates.find((g) => g.id === gate) ?? expect.unreachable();

const at = (ts: string) => ({ channel: CHANNELS.incident, ts });

/** Waits for an event of a run. */
const event = (run: number, type: string, by: string) =>
  poll(async () =>
    (await scene.events(`run:${run}`)).find((e) => e.type === type && 'by' in e && e.by === by),
  );

describe('a reaction on a request', () => {
  it('approves with a skin tone too, counts once, and is taken back', async () => {
    const run = await freshRun();
    const { gate, ts } = await scene.openRequest(run);
    await scene.people.react({ user: USERS.bob, ...at(ts), emoji: '+1::skin-tone-3' });
    await event(run, 'ApprovalGiven', USERS.bob);
    await scene.people.react({ user: USERS.bob, ...at(ts), emoji: 'white_check_mark' });
    await scene.people.unreact({ user: USERS.bob, ...at(ts), emoji: '+1::skin-tone-3' });
    // One of two is left, so the approval stands; dave's answer shows that the others have been handled.
    await scene.people.react({ user: USERS.dave, ...at(ts), emoji: 'white_check_mark' });
    await event(run, 'ReactionRejected', USERS.dave);
    expect((await gateOf(run, gate)).approvals.map((a) => a.by)).toEqual([USERS.bob]);
    await scene.people.unreact({ user: USERS.bob, ...at(ts), emoji: 'white_check_mark' });
    await event(run, 'ApprovalWithdrawn', USERS.bob);
    expect((await gateOf(run, gate)).approvals).toEqual([]);
  });

  it('does not count from who asked, guests, bots, strangers, and people on no list; each hears why', async () => {
    const run = await freshRun();
    const { gate, ts } = await scene.openRequest(run);
    for (const [user, code] of [
      [USERS.alice, 'own_request'],
      [USERS.gina, 'guest'],
      [USERS.rob, 'bot'],
      [USERS.stan, 'stranger'],
      [USERS.dave, 'not_listed'],
    ] as const) {
      await scene.people.react({ user, ...at(ts), emoji: 'white_check_mark' });
      expect(await event(run, 'ReactionRejected', user)).toMatchObject({ code });
    }
    expect((await gateOf(run, gate)).approvals).toEqual([]);
  });

  it('counts by itself once Slack answers, and the request says meanwhile what it waits for', async () => {
    const run = await freshRun();
    const { gate, ts } = await scene.openRequest(run);
    // Each try of a look-up makes two calls at most.
    await scene.people.failNext({ method: 'users.info', failure: 'http_500', count: 16 });
    await scene.people.react({ user: USERS.bob, ...at(ts), emoji: 'white_check_mark' });
    await poll(async () => ((await gateOf(run, gate)).waits?.users.includes(USERS.bob) ? true : undefined));
    await event(run, 'ApprovalGiven', USERS.bob);
    expect((await gateOf(run, gate)).waits).toBeNull();
    const events = await scene.events(`run:${run}`);
    expect(events.filter((e) => e.type === 'LookupFailed')).toHaveLength(1);
    expect(events.filter((e) => e.type === 'ReactionRejected')).toEqual([]);
  });

  it('is not taken back by another emoji that goes while Slack gives no answer', async () => {
    const run = await freshRun();
    const { gate, ts } = await scene.openRequest(run);
    for (const emoji of ['+1', 'white_check_mark']) {
      await scene.people.react({ user: USERS.bob, ...at(ts), emoji });
    }
    await event(run, 'ApprovalGiven', USERS.bob);
    await poll(async () => ((await waiting()) ? undefined : true));
    await scene.people.failNext({ method: 'reactions.get', failure: 'invalid_auth', count: 1 });
    await scene.people.unreact({ user: USERS.bob, ...at(ts), emoji: '+1' });
    await poll(async () => {
      const { calls } = await scene.people.calls({ method: 'reactions.get' });
      return calls.some((call) => call.result === 'invalid_auth') && !(await waiting()) ? true : undefined;
    });
    expect((await gateOf(run, gate)).approvals.map((a) => a.by)).toEqual([USERS.bob]);
    await scene.people.unreact({ user: USERS.bob, ...at(ts), emoji: 'white_check_mark' });
    await event(run, 'ApprovalWithdrawn', USERS.bob);
  });

  it('is found out about when Slack lost it, and answered once', async () => {
    const run = await freshRun();
    const { gate, ts } = await scene.openRequest(run, ['dba']);
    await bot.stop();
    for (const user of [USERS.carol, USERS.bob, USERS.alice]) {
      await scene.people.react({ user, ...at(ts), emoji: 'white_check_mark' });
    }
    bot = await scene.startBot();
    expect(await event(run, 'ApprovalGiven', USERS.carol)).toMatchObject({ via: 'reconciled' });
    await event(run, 'ReactionRejected', USERS.bob);
    await bot.reconcileGates();
    await bot.reconcileGates();
    const rejected = (await scene.events(`run:${run}`)).filter((e) => e.type === 'ReactionRejected');
    expect(rejected).toHaveLength(2);

    // And one taken back while nobody listened.
    await bot.stop();
    await scene.people.unreact({ user: USERS.carol, ...at(ts), emoji: 'white_check_mark' });
    bot = await scene.startBot();
    await event(run, 'ApprovalWithdrawn', USERS.carol);
    expect((await gateOf(run, gate)).approvals).toEqual([]);
  });

  it('is looked for again after every reconnect', async () => {
    const run = await freshRun();
    const { ts } = await scene.openRequest(run);
    await scene.people.outage({ mode: 'drop' });
    await poll(async () => (bot.connected() ? undefined : true));
    await scene.people.react({ user: USERS.bob, ...at(ts), emoji: 'white_check_mark' });
    await scene.people.outage({ mode: 'off' });
    await event(run, 'ApprovalGiven', USERS.bob);
    expect(bot.connected()).toBe(true);
  });

  it('counts when it is ahead of the note of its message', async () => {
    const run = await freshRun();
    const { ts, gate } = await scene.openRequest(run);
    await scene.pool.query('DELETE FROM m10bot.posted');
    await scene.people.react({ user: USERS.bob, ...at(ts), emoji: 'white_check_mark' });
    await poll(async () => (await waiting()) || undefined);
    await scene.posted.put({ key: `run:${run}:gate:${gate}`, ...at(ts), hash: '', position: 1 });
    expect(await event(run, 'ApprovalGiven', USERS.bob)).toMatchObject({ via: 'reaction' });
  });

  it('refuses, and tells latecomers', async () => {
    const run = await freshRun();
    const { gate, ts } = await scene.openRequest(run);
    await scene.people.react({ user: USERS.dave, ...at(ts), emoji: 'x' });
    expect(await event(run, 'ReactionRejected', USERS.dave)).toMatchObject({ code: 'not_listed' });
    await scene.people.react({ user: USERS.bob, ...at(ts), emoji: 'x' });
    await event(run, 'GateRefused', USERS.bob);
    expect((await gateOf(run, gate)).status).toBe('refused');
    await scene.people.react({ user: USERS.carol, ...at(ts), emoji: 'white_check_mark' });
    expect(await event(run, 'ReactionRejected', USERS.carol)).toMatchObject({ code: 'gate_closed' });
  });

  it('stops the run, from anyone, while nobody can be looked up', async () => {
    const run = await freshRun();
    const { ts } = await scene.openRequest(run);
    await scene.people.failNext({ method: 'users.info', failure: 'internal_error', count: 1 });
    await scene.people.react({ user: USERS.gina, ...at(ts), emoji: 'octagonal_sign' });
    await event(run, 'StopRequested', USERS.gina);
    expect((await scene.state(run)).stopped).toMatchObject({ by: USERS.gina });
  });

  it('means nothing elsewhere, or with another emoji', async () => {
    const run = await freshRun();
    const { ts } = await scene.openRequest(run);
    const count = async () => (await scene.pool.query('SELECT FROM m10bot.inbox')).rowCount;
    const before = await count();
    const { ts: said } = await scene.say(USERS.alice, 'good morning');
    await scene.people.react({ user: USERS.bob, ...at(ts), emoji: 'eyes' });
    await scene.people.react({ user: USERS.bob, ...at(said ?? ''), emoji: 'octagonal_sign' });
    await poll(async () => ((await count()) === (before ?? 0) + 1 && !(await waiting()) ? true : undefined));
    expect((await scene.state(run)).stopped).toBeNull();
  });
});

async function waiting(): Promise<boolean> {
  const { rowCount } = await scene.pool.query(`SELECT FROM m10bot.inbox WHERE state = 'waiting'`);
  return rowCount !== 0;
}
