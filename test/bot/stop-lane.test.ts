import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRuns } from '../../src/store/runs.js';
import { CHANNELS, createScene, poll, type Scene, USERS } from './support.js';

let scene: Scene;
beforeEach(async () => {
  // One delivery each: what the bot makes of it is its own doing.
  scene = await createScene('stop_lane', { retryScheduleMs: [] });
});
afterEach(() => scene.close());

const crowd = Array.from({ length: 56 }, (_, i) => `U0CROWD${String(i).padStart(3, '0')}`);

/** People without any rights who are in the channel. */
async function gather(): Promise<void> {
  for (const user of crowd) {
    await scene.people.setUser({ user });
    await scene.people.join({ user, channel: CHANNELS.incident });
  }
}

/** An open request of a run of Alice's. */
async function request(): Promise<{ run: number; ts: string }> {
  await scene.ask(USERS.alice, '/m10 preflight');
  await scene.ask(USERS.alice, '/m10 next');
  const { ts } = await scene.openRequest(1);
  return { run: 1, ts };
}

const react = (user: string, ts: string, emoji = 'white_check_mark') =>
  scene.people.react({ user, channel: CHANNELS.incident, ts, emoji });
const unreact = (user: string, ts: string, emoji = 'white_check_mark') =>
  scene.people.unreact({ user, channel: CHANNELS.incident, ts, emoji });

const rejections = async () => (await scene.events('run:1')).filter((e) => e.type === 'ReactionRejected');
const isStopped = async () => (await scene.state(1)).stopped !== null || undefined;

interface Row {
  readonly kind: string;
  readonly state: string;
  readonly attempts: number;
  readonly error: string | null;
}
const inboxRows = async () =>
  (await scene.pool.query<Row>('SELECT kind, state, attempts, error FROM m10bot.inbox')).rows;
const handled = () =>
  poll(async () => (await inboxRows()).every((row) => row.state !== 'waiting') || undefined, 60_000);

describe('a stop among many reactions', () => {
  it('is done while all that handle reactions are held up', async () => {
    await gather();
    let release = (): void => {};
    const heldUp = new Promise<void>((resolve) => {
      release = resolve;
    });
    let looking = 0;
    const access = scene.accessFor();
    const { people } = access;
    const verdict: typeof people.verdict = async (user, lists) => {
      looking += 1;
      await heldUp;
      return people.verdict(user, lists);
    };
    await scene.startBot('socket', {
      slack: { ...access, people: { ...people, verdict } },
      // Longer than the test: an item that is held up belongs to whoever holds it.
      inboxWork: { everyMs: 100, leaseMs: 600_000 },
    });
    const { ts } = await request();
    await Promise.all(crowd.map((user) => react(user, ts)));
    await poll(async () => (await inboxRows()).length >= crowd.length + 2 || undefined);
    await poll(async () => looking > 0 || undefined);
    await scene.say(USERS.dave, '/m10 stop now');
    await poll(isStopped);
    expect(await rejections()).toEqual([]);
    release();
    await handled();
    expect((await rejections()).length).toBe(crowd.length);
  });

  it('and every reaction, is done at the first attempt, by two replicas at once', async () => {
    await gather();
    // Each with its own view of the runs, as two processes have.
    for (let i = 0; i < 2; i += 1)
      await scene.startBot('socket', {
        runs: createRuns({ journal: scene.journal, now: Date.now }),
        inboxWork: { everyMs: 100, leaseMs: 600_000 },
      });
    const { ts } = await request();
    const reactions = crowd.map((user) => react(user, ts));
    const stop = scene.say(USERS.dave, '/m10 stop now');
    await Promise.all([...reactions, stop]);
    await poll(isStopped);
    await handled();
    expect((await inboxRows()).filter((row) => row.attempts > 1 || row.error !== null)).toEqual([]);
    expect((await rejections()).length).toBe(crowd.length);
  });

  it('is done beside as many signs that stop, each of which is taken', async () => {
    await gather();
    await scene.startBot();
    const { ts } = await request();
    await Promise.all(crowd.map((user) => react(user, ts, 'octagonal_sign')));
    await scene.say(USERS.dave, '/m10 stop now');
    await handled();
    expect((await scene.events('run:1')).filter((e) => e.type === 'StopRequested')).toHaveLength(1);
    expect((await inboxRows()).filter((row) => row.state === 'dead' || row.error !== null)).toEqual([]);
  });
});

describe('a person who toggles', () => {
  it('is answered once, and the last sign is what counts', async () => {
    await scene.startBot();
    const { ts } = await request();
    for (let i = 0; i < 6; i += 1) {
      await react(USERS.dave, ts);
      await unreact(USERS.dave, ts);
      await react(USERS.bob, ts);
      await unreact(USERS.bob, ts);
    }
    await react(USERS.dave, ts);
    await react(USERS.bob, ts);
    await handled();
    expect((await rejections()).map((e) => ('by' in e ? e.by : ''))).toEqual([USERS.dave]);
    expect((await scene.state(1)).gates[0]?.approvals.map((a) => a.by)).toEqual([USERS.bob]);
  });
});
