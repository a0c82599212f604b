import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { readArrival } from '../../src/bot/inbound.js';
import { createInboxWorker, type InboxWorker } from '../../src/bot/inbox-worker.js';
import { createInbox, type InboxItem } from '../../src/store/inbox.js';
import { type StateDatabase, stateDatabase } from '../store/state.js';

let state: StateDatabase;
let workers: InboxWorker[] = [];
let begun: string[] = [];
let ended: string[] = [];
beforeAll(async () => {
  state = await stateDatabase();
});
afterAll(() => state.drop());
beforeEach(async () => {
  [workers, begun, ended] = [[], [], []];
  await state.pool.query('TRUNCATE m10bot.inbox');
});
afterEach(() => Promise.all(workers.map((worker) => worker.stop())));

const log = { debug() {}, info() {}, warn() {}, error() {} };

/** Two replicas over one inbox; what an item does is told by its payload. */
function replicas(handle: (text: string, item: InboxItem) => Promise<void>): void {
  for (const owner of ['one', 'two']) {
    const worker = createInboxWorker({
      inbox: createInbox(state.pool, { firstDelayMs: 50 }),
      owner,
      everyMs: 40,
      leaseMs: 30_000,
      handle: async (item) => {
        const text = String(item.payload);
        begun.push(text);
        await handle(text, item);
        ended.push(text);
      },
      onDead: async () => undefined,
      log,
    });
    workers.push(worker);
    worker.start();
  }
}

const inbox = () => createInbox(state.pool);
const receive = (text: string, lane: string | null) =>
  inbox().receive({ key: `${text}-${Math.random()}`, kind: 'command', payload: text, lane });
const until = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 30_000, interval: 20 });

it('what one person asks for in one channel is handled in the order in which it came', async () => {
  const sent = inbox();
  const texts = Array.from({ length: 12 }, (_, i) => `c${i}`);
  // Together, as a burst arrives: one statement stores them, in an order of its own.
  await Promise.all(
    texts.map((text, i) =>
      sent.receive({ key: `k${(i * 7) % 12}`, kind: 'command', payload: text, lane: 'C:alice' }),
    ),
  );
  replicas(async (text) => {
    await sleep(text === 'c0' ? 150 : 5);
  });
  await until(() => ended.length === 12);
  expect(begun).toEqual(texts);
  expect(ended).toEqual(texts);
});

it('others, and what has no lane, wait for nobody', async () => {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await receive('slow plan', 'C:alice');
  await receive('her next', 'C:alice');
  await receive('stop', null);
  await receive('bob', 'C:bob');
  replicas((text) => (text === 'slow plan' ? held : Promise.resolve()));
  await until(() => ended.includes('stop') && ended.includes('bob'));
  expect(begun).not.toContain('her next');
  release();
  await until(() => ended.includes('her next'));
  expect(ended.indexOf('slow plan')).toBeLessThan(ended.indexOf('her next'));
});

it('what fails holds up nobody, and comes again', async () => {
  let failures = 0;
  await receive('broken', 'C:alice');
  await receive('after it', 'C:alice');
  replicas(async (text) => {
    if (text !== 'broken') return;
    failures += 1;
    if (failures < 3) throw new Error('the database was away');
  });
  await until(() => ended.includes('after it'));
  await until(() => ended.includes('broken'));
});

it('what hangs holds up nobody for ever', async () => {
  await receive('hangs', 'C:alice');
  await receive('waits', 'C:alice');
  await state.pool.query(`UPDATE m10bot.inbox SET received_at = received_at - interval '59 s'`);
  replicas((text) => (text === 'hangs' ? new Promise(() => undefined) : Promise.resolve()));
  await until(() => ended.includes('waits'));
  // It would be waited for at the end.
  workers = [];
});

it('orders share a lane by person and channel; a stop, a slip and an approval have none', () => {
  const arrival = (text: string, user = 'UALICE') =>
    readArrival(
      { command: '/m10', text, user_id: user, channel_id: 'CINC', trigger_id: `${text}${user}` },
      'CINC',
    );
  expect(arrival('next')?.lane).toBe('CINC:UALICE');
  expect(arrival('resume')?.lane).toBe(arrival('next')?.lane);
  expect(arrival('next', 'UBOB')?.lane).toBe('CINC:UBOB');
  expect(arrival('stop now')?.lane).toBeNull();
  expect(arrival('\u200bStop!')?.lane).toBeNull();
  expect(arrival('nonsense')?.lane).toBeNull();
  const item = { type: 'message', channel: 'CINC', ts: '1.2' };
  const event = { type: 'reaction_added', user: 'UBOB', reaction: 'white_check_mark', item };
  expect(readArrival({ event_id: 'E1', event }, 'CINC')?.lane).toBeNull();
});
