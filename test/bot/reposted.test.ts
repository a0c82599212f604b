import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BotApp } from '../../src/bot/app.js';
import { createSlack } from '../../src/clients/slack.js';
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

describe('a request whose message is deleted', () => {
  it('loses what stood on it, is asked for once more, and not for ever', async () => {
    const run = await freshRun();
    const { gate, ts } = await scene.openRequest(run);
    await scene.people.react({ user: USERS.bob, ...at(ts), emoji: 'white_check_mark' });
    await event(run, 'ApprovalGiven', USERS.bob);
    await scene.people.deleteMessage(at(ts));
    await bot.reconcileGates();
    await bot.reconcileGates();
    const events = () => scene.events(`run:${run}`);
    expect((await events()).filter((e) => e.type === 'GateReposted')).toMatchObject([{ gate, lost: ts }]);
    expect(await gateOf(run, gate)).toMatchObject({ status: 'open', approvals: [] });
    for (const lost of ['1.1', '1.2', '1.3', '1.4', '1.5']) {
      await scene.runs.execute(run, { type: 'RepostGate', gate, lost });
    }
    expect((await events()).filter((e) => e.type === 'GateReposted')).toHaveLength(5);
    expect(await gateOf(run, gate)).toMatchObject({ status: 'voided' });
  });

  it('of which a tombstone stands is gone as well', async () => {
    const run = await freshRun();
    const { gate, ts } = await scene.openRequest(run);
    await scene.people.say({
      user: USERS.carol,
      channel: CHANNELS.incident,
      text: 'what is this?',
      thread_ts: ts,
    });
    await scene.people.deleteMessage(at(ts));
    await bot.reconcileGates();
    expect(await scene.events(`run:${run}`)).toContainEqual(
      expect.objectContaining({ type: 'GateReposted', gate }),
    );
  });

  describe('and of which only a file is gone', () => {
    const slack = () =>
      createSlack({ token: scene.slack.tokens.bot, apiUrl: scene.slack.url, timeoutMs: 5_000 });

    /** Shares a file in a request's thread and notes it, as the publisher does. */
    async function share(run: number, gate: number, threadTs: string, version = ''): Promise<string> {
      const filename = `run-${run}-request-${gate}-staging-1.sql`;
      const file = { channel: CHANNELS.incident, threadTs, filename, title: filename, content: 'SELECT 1' };
      const id = await slack().share(file);
      const key = `run:${run}:gate:${gate}${version}:file:${filename}`;
      await scene.posted.put({ key, channel: CHANNELS.incident, ts: id, hash: '', position: 1 });
      return id;
    }
    const reposts = async (run: number) =>
      (await scene.events(`run:${run}`)).filter((e) => e.type === 'GateReposted');

    it('is asked for once more, and approvals count again once the file stands again', async () => {
      const run = await freshRun();
      const { gate, ts } = await scene.openRequest(run);
      const id = await share(run, gate, ts);
      await scene.people.react({ user: USERS.bob, ...at(ts), emoji: 'white_check_mark' });
      await event(run, 'ApprovalGiven', USERS.bob);
      await bot.reconcileGates();
      expect(await reposts(run)).toEqual([]);
      await scene.people.deleteFile({ id });
      await bot.reconcileGates();
      await bot.reconcileGates();
      expect(await reposts(run)).toMatchObject([{ gate, lost: id }]);
      expect(await gateOf(run, gate)).toMatchObject({ status: 'open', approvals: [] });
      await share(run, gate, ts, ':12');
      await bot.reconcileGates();
      expect(await reposts(run)).toHaveLength(1);
      expect((await gateOf(run, gate)).approvals).toMatchObject([{ by: USERS.bob }]);
    });

    it('finds it far down in a long thread', async () => {
      const run = await freshRun();
      const { gate, ts } = await scene.openRequest(run);
      for (let n = 0; n < 205; n += 1)
        await scene.people.say({
          user: USERS.carol,
          channel: CHANNELS.incident,
          text: `${n}`,
          thread_ts: ts,
        });
      await share(run, gate, ts);
      await bot.reconcileGates();
      expect(await reposts(run)).toEqual([]);
    });

    it('waits a minute for one that Slack has taken and does not show', async () => {
      const run = await freshRun();
      const { gate } = await scene.openRequest(run);
      const key = `run:${run}:gate:${gate}:file:late.sql`;
      await scene.posted.put({ key, channel: CHANNELS.incident, ts: 'F0LATE', hash: '', position: 1 });
      await bot.reconcileGates();
      expect(await reposts(run)).toEqual([]);
      expect(await scene.accessFor().read({ run, gate, requestedAt: 0 })).toMatchObject({
        kind: 'not_asked',
      });
      await scene.pool.query(
        "UPDATE m10bot.posted SET updated_at = now() - interval '2 minutes' WHERE key = $1",
        [key],
      );
      await bot.reconcileGates();
      expect(await reposts(run)).toMatchObject([{ gate, lost: 'F0LATE' }]);
    });

    it('does not look for one that was shared outside of the thread', async () => {
      const run = await freshRun();
      const { gate } = await scene.openRequest(run);
      const key = `run:${run}:gate:${gate}:file:elsewhere.sql`;
      await scene.posted.put({ key, channel: CHANNELS.incident, ts: 'file', hash: '', position: 1 });
      await scene.pool.query(
        "UPDATE m10bot.posted SET updated_at = now() - interval '2 minutes' WHERE key = $1",
        [key],
      );
      await bot.reconcileGates();
      expect(await reposts(run)).toEqual([]);
    });
  });
});
