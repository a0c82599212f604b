import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createInbox, type Inbox } from '../../src/store/inbox.js';
import { createJournal } from '../../src/store/journal.js';
import { createPool } from '../../src/store/pool.js';
import { stateDatabase } from './state.js';

let database: Awaited<ReturnType<typeof stateDatabase>>;
let inbox: Inbox;
beforeEach(async () => {
  database = await stateDatabase();
  inbox = createInbox(database.pool, { maxAttempts: 2 });
});
afterEach(() => database.drop());

const receive = (key: string, payload: unknown = { key }) => inbox.receive({ key, kind: 'event', payload });
const claim = (owner: string, limit = 10) => inbox.claim({ owner, limit, leaseMs: 60_000 });
/** As if the time until the item is visible again had passed. */
const wait = () => database.pool.query("UPDATE m10bot.inbox SET visible_at = now() WHERE state = 'waiting'");

async function row(id: number) {
  const { rows } = await database.pool.query<{ state: string; payload: unknown; deliveries: number }>(
    'SELECT state, payload, deliveries FROM m10bot.inbox WHERE id = $1',
    [id],
  );
  return rows[0];
}

describe('receive', () => {
  it('stores a key once and counts redeliveries, also at the same time', async () => {
    const receipts = await Promise.all(Array.from({ length: 8 }, () => receive('Ev1')));
    expect(receipts.filter((receipt) => receipt.fresh)).toHaveLength(1);
    expect(new Set(receipts.map((receipt) => receipt.id)).size).toBe(1);
    expect(await row(receipts[0]?.id ?? 0)).toMatchObject({ deliveries: 8, state: 'waiting' });
    expect(await claim('a')).toHaveLength(1);
  });

  it('goes on when a pooler hands out a connection that does not know the prepared statement', async () => {
    const one = createPool({ url: database.url, max: 1, applicationName: 'm10bot-test', onError: () => {} });
    try {
      const pooled = createInbox(one);
      const get = async (key: string) => (await pooled.receive({ key, kind: 'command', payload: {} })).fresh;
      expect(await get('pooled-1')).toBe(true);
      await one.query('DEALLOCATE ALL');
      expect(await get('pooled-2')).toBe(true);
      expect(await get('pooled-2')).toBe(false);
    } finally {
      await one.end();
    }
  });

  it('does not revive an item that is done', async () => {
    const { id } = await receive('Ev1');
    await inbox.finish(id);
    expect(await receive('Ev1')).toEqual({ id, fresh: false, head: 0 });
    expect(await claim('a')).toEqual([]);
  });

  it('keeps an answered delivery without its capabilities, never to be claimed', async () => {
    const { id } = await inbox.receive({
      key: 'c1',
      kind: 'command',
      payload: { text: 'status\0', response_url: 'https://x', nested: { deep: { trigger_id: '1' } } },
      done: true,
    });
    expect(await row(id)).toMatchObject({
      state: 'done',
      payload: { text: 'status\uFFFD', nested: { deep: {} } },
    });
    expect(await claim('a')).toEqual([]);
  });

  it('tells where the journal ends', async () => {
    const ask = async (key: string) => (await inbox.receive({ key, kind: 'command', payload: {} })).head;
    const journal = createJournal(database.pool);
    expect(await ask('c1')).toBe((await journal.head()).position);
    const events = [
      { type: 'A', data: {} },
      { type: 'B', data: {} },
    ];
    await journal.append([{ stream: 'run:1', expectedVersion: 0, events }]);
    expect(await ask('c2')).toBe((await journal.head()).position);
  });

  it('stores what arrives together, each on its own terms', async () => {
    const keys = Array.from({ length: 250 }, (_, i) => `together-${i % 200}`);
    const receipts = await Promise.all(
      keys.map((key, i) =>
        inbox.receive({ key, kind: 'command', payload: { i, text: 'a\0b' }, done: i % 2 === 0 }),
      ),
    );
    expect(receipts.filter((r) => r.fresh)).toHaveLength(200);
    expect(new Set(receipts.map((r) => r.id)).size).toBe(200);
    const { rows } = await database.pool.query<{ state: string; deliveries: number; n: number }>(
      `SELECT state, deliveries, count(*)::int AS n FROM m10bot.inbox WHERE key LIKE 'together-%'
        GROUP BY state, deliveries ORDER BY state, deliveries`,
    );
    expect(rows).toEqual([
      { state: 'done', deliveries: 1, n: 75 },
      { state: 'done', deliveries: 2, n: 25 },
      { state: 'waiting', deliveries: 1, n: 75 },
      { state: 'waiting', deliveries: 2, n: 25 },
    ]);
    await database.pool.query(`DELETE FROM m10bot.inbox WHERE key LIKE 'together-%'`);
  });

  it('keeps what came together with a delivery that the database cannot store', async () => {
    // More than an index entry can hold.
    const long = randomBytes(20_000).toString('base64');
    const all = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        inbox.receive({ key: `beside-${i === 10 ? long : i}`, kind: 'command', payload: { i } }),
      ),
    );
    expect(all.map((each, i) => (each.status === 'rejected' ? i : null)).filter((i) => i !== null)).toEqual([
      10,
    ]);
    await database.pool.query(`DELETE FROM m10bot.inbox WHERE key LIKE 'beside-%'`);
  });
});

describe('claim', () => {
  it('hands each item to one worker, oldest first', async () => {
    for (const key of ['1', '2', '3', '4', '5', '6']) await receive(key);
    const claims = await Promise.all([claim('a', 2), claim('b', 2), claim('c', 2)]);
    const keys = claims.flat().map((item) => item.key);
    expect(new Set(keys).size).toBe(keys.length);
    for (const items of claims) {
      const ids = items.map((item) => item.id);
      expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    }
    const rest = await claim('d');
    expect([...keys, ...rest.map((item) => item.key)].sort()).toEqual(['1', '2', '3', '4', '5', '6']);
  });

  it('gives a dead worker’s item to another one', async () => {
    await receive('1');
    expect(await claim('a')).toMatchObject([{ key: '1', attempts: 1, payload: { key: '1' } }]);
    expect(await claim('b')).toEqual([]);
    await wait();
    expect(await claim('b')).toMatchObject([{ key: '1', attempts: 2 }]);
  });

  it('buries an item that took down its worker at every attempt', async () => {
    const { id } = await receive('1');
    for (const owner of ['a', 'b']) {
      expect(await claim(owner)).toHaveLength(1);
      await wait();
    }
    expect(await claim('c')).toEqual([]);
    expect(await inbox.dead(10)).toMatchObject([
      { id, attempts: 2, error: expect.stringContaining('worker') },
    ]);
  });

  it('can claim the one item just received', async () => {
    await receive('1');
    const { id } = await receive('2');
    expect(await inbox.claimOne(id, 'a', 60_000)).toMatchObject({ id, key: '2', kind: 'event' });
    expect(await inbox.claimOne(id, 'b', 60_000)).toBeUndefined();
    expect(await claim('b')).toMatchObject([{ key: '1' }]);
  });
});

describe('finish', () => {
  it('erases what in the payload lets one act in Slack', async () => {
    const { id } = await receive('1', {
      text: 'next',
      response_url: 'https://hooks',
      trigger_id: '1.2',
      body: { token: 'x', user: 'U1', response_url: 'https://hooks' },
      list: [1],
    });
    await inbox.finish(id);
    expect(await row(id)).toMatchObject({
      state: 'done',
      payload: { text: 'next', body: { user: 'U1' }, list: [1] },
    });
  });

  it('takes a payload that is not an object', async () => {
    const { id } = await receive('1', ['x']);
    await inbox.finish(id);
    expect(await row(id)).toMatchObject({ state: 'done', payload: ['x'] });
  });
});

describe('fail', () => {
  it('waits before the next attempt, then gives the item up and keeps it', async () => {
    const { id } = await receive('1');
    await claim('a');
    expect(await inbox.fail(id, 'Slack said no')).toBe('waiting');
    expect(await claim('a')).toEqual([]);
    await wait();
    expect(await claim('a')).toHaveLength(1);
    expect(await inbox.fail(id, 'Slack said no again')).toBe('dead');
    await wait();
    expect(await claim('a')).toEqual([]);
    expect(await inbox.dead(10)).toMatchObject([{ id, error: 'Slack said no again', attempts: 2 }]);
  });

  it('does not touch an item that another worker has claimed since', async () => {
    const { id } = await receive('1');
    await claim('a');
    await wait();
    await claim('b');
    expect(await inbox.fail(id, 'late', 'a')).toBeUndefined();
    expect(await inbox.fail(id, 'mine', 'b')).toBe('dead');
  });
});

describe('prune', () => {
  it('forgets what was finished long ago, and nothing else', async () => {
    const done = await receive('done');
    await receive('waiting');
    const dead = await receive('dead');
    await inbox.finish(done.id);
    await database.pool.query("UPDATE m10bot.inbox SET state = 'dead', finished_at = now() WHERE id = $1", [
      dead.id,
    ]);
    expect(await inbox.prune(60_000)).toBe(0);
    await database.pool.query("UPDATE m10bot.inbox SET finished_at = now() - interval '2 minutes'");
    expect(await inbox.prune(60_000)).toBe(1);
    expect(await row(done.id)).toBeUndefined();
    expect(await inbox.dead(10)).toHaveLength(1);
  });
});
