import { expect, test } from 'vitest';
import type { OutboxEvent } from '../../../src/scheduler/outbox/event.js';
import { usePost } from './post.js';

const post = usePost();
const allow = ['127.0.0.1'];

test('events of an aggregate go one after the other, also when they are due together', async () => {
  const hook = await post.receiver();
  let under = 0;
  let most = 0;
  hook.answer = async (_, response) => {
    under += 1;
    most = Math.max(most, under);
    await new Promise((resolve) => setTimeout(resolve, 20));
    under -= 1;
    response.end();
  };
  const ids: string[] = [];
  for (const type of ['http:c', 'http:a', 'webhook:b'])
    ids.push(await post.publish(type, { url: hook.url }, 'one'));
  await post.run({ config: { http: { allow } } });
  expect(hook.got.map(({ id }) => id)).toEqual(ids);
  expect(most).toBe(1);
});

test('after a failure the later ones of its aggregate wait, and others do not', async () => {
  const hook = await post.receiver();
  let broken = true;
  hook.answer = ({ path }, response) =>
    void response.writeHead(broken && path === '/first' ? 500 : 200).end();
  const first = await post.publish('http:1', { url: `${hook.url}/first` }, 'one');
  const second = await post.publish('http:2', { url: `${hook.url}/second` }, 'one');
  const third = await post.publish('local:3', {}, 'one');
  const other = await post.publish('http:1', { url: `${hook.url}/other` }, 'two');
  const handled: string[] = [];
  const options = {
    config: { http: { allow } },
    deps: { handlers: { 'local:': (event: OutboxEvent) => void handled.push(event.id) } },
  };
  await post.run(options);
  expect(hook.got.map(({ id }) => id).sort()).toEqual([first, other].sort());
  // Also when they are looked at again while the first one waits.
  await post.run(options);
  expect(hook.got).toHaveLength(2);
  expect(handled).toEqual([]);

  broken = false;
  await post.sql(`update m10_recovery.outbox set next_retry_at = null where id = ${first}`);
  await post.run(options);
  expect(hook.got.slice(2).map(({ id }) => id)).toEqual([first, second]);
  expect(handled).toEqual([third]);
  expect((await post.rows()).every((row) => row.processed_at !== null)).toBe(true);
});

test('in one transaction too, what follows a failed event of this process waits for it', async () => {
  // A batch of one, so that the second is claimed while the first one is handled.
  const [first, second] = [
    await post.publish('local:1', {}, 'one'),
    await post.publish('local:2', {}, 'one'),
  ];
  const other = await post.publish('local:1', {}, 'two');
  const handled: string[] = [];
  let broken = true;
  const options = {
    config: { batch: 1 },
    deps: {
      handlers: {
        'local:': async (event: OutboxEvent) => {
          if (broken && event.id === first) throw new Error('not yet');
          handled.push(event.id);
        },
      },
    },
  };
  const result = await post.run(options);
  expect(result.counts).toEqual({ delivered: 1, retried: 1, deadLettered: 0 });
  expect(handled).toEqual([other]);
  expect(await post.row(first)).toMatchObject({ retry_count: 1, last_error: 'not yet', processed_at: null });
  expect(await post.row(second)).toMatchObject({ retry_count: 0, processed_at: null, processed_by: null });

  broken = false;
  await post.sql(`update m10_recovery.outbox set next_retry_at = null where id = ${first}`);
  await post.run(options);
  expect(handled).toEqual([other, first, second]);
});

test('a newer payload that comes during a delivery is delivered too', async () => {
  const hook = await post.receiver();
  const id = await post.publish('http:a', { url: hook.url, body: 'old' }, 'one');
  hook.answer = async (_, response) => {
    if (hook.got.length === 1)
      expect(await post.publish('http:a', { url: hook.url, body: 'new' }, 'one')).toBe(id);
    response.end();
  };
  await post.run({ config: { http: { allow } } });
  expect(hook.got.map(({ body }) => body)).toEqual(['old', 'new']);
  expect((await post.row(id)).processed_at).not.toBeNull();
});

test('events on another processor’s lease or lock are left alone, and order holds for them too', async () => {
  const hook = await post.receiver();
  const leased = await post.publish('http:a', { url: hook.url }, 'one');
  const locked = await post.publish('http:a', { url: hook.url }, 'two');
  await post.publish('http:b', { url: hook.url }, 'one');
  await post.publish('http:b', { url: hook.url }, 'two');
  const free = await post.publish('http:a', { url: hook.url }, 'three');
  await post.sql(
    `update m10_recovery.outbox set next_retry_at = now() + interval '1 minute' where id = ${leased}`,
  );
  const other = await post.open();
  await other.transaction(async (transaction) => {
    await transaction.query('select 1 from m10_recovery.outbox where id = $1 for update', [locked]);
    await post.run({ config: { http: { allow } } });
  });
  expect(hook.got.map(({ id }) => id)).toEqual([free]);
});

test('two processors at once deliver everything, nothing twice, and each aggregate in order', async () => {
  const hook = await post.receiver();
  const ids: string[] = [];
  for (let n = 0; n < 60; n += 1) {
    const aggregate = `a${n % 20}`;
    ids.push(
      await post.publish(`http:${n}`, { url: hook.url }, aggregate),
      await post.publish(`local:${n}`, {}, aggregate),
    );
  }
  const handled: string[] = [];
  hook.answer = ({ id }, response) => {
    handled.push(id);
    response.end();
  };
  const options = {
    config: { batch: 3, http: { allow, concurrency: 3 } },
    deps: { handlers: { 'local:': (event: OutboxEvent) => void handled.push(event.id) } },
  };
  const results = await Promise.all([post.run(options), post.run(options)]);
  expect(results.reduce((sum, { counts }) => sum + (counts.delivered ?? 0), 0)).toBe(ids.length);
  expect([...handled].sort()).toEqual([...ids].sort());
  const rows = await post.rows();
  for (let aggregate = 0; aggregate < 20; aggregate += 1) {
    const own = rows.filter((row) => row.aggregate_id === `a${aggregate}`).map((row) => String(row.id));
    expect(handled.filter((id) => own.includes(id))).toEqual(own);
  }
});

test('it works on while events arrive, and ends when there are none', async () => {
  const hook = await post.receiver();
  let arrived = 0;
  hook.answer = async (_, response) => {
    // Each of the first deliveries brings two new events.
    if (arrived < 40) {
      arrived += 2;
      await post.publish('http:a', { url: hook.url });
      await post.publish('local:a', {});
    }
    response.end();
  };
  await post.publish('http:a', { url: hook.url });
  const handled: string[] = [];
  const result = await post.run({
    config: { http: { allow } },
    deps: { handlers: { 'local:': (event) => void handled.push(event.id) } },
  });
  expect(result.counts).toEqual({ delivered: 41, retried: 0, deadLettered: 0 });
  expect(handled).toHaveLength(20);
});

test('100,000 pending events are drained in one run, whatever waits before them', {
  timeout: 120_000,
}, async () => {
  await post.sql(
    `insert into m10_recovery.outbox (aggregate_type, aggregate_id, event_type, payload, next_retry_at)
     select 'order', 'waiting' || n, 'local:w', '{}', now() + interval '1 hour' from generate_series(1, 1000) n;
     insert into m10_recovery.outbox (aggregate_type, aggregate_id, event_type, payload)
     select 'order', n::text, 'local:x', jsonb_build_object('n', n) from generate_series(1, 100000) n`,
  );
  let sum = 0;
  const result = await post.run({
    config: { batch: 500 },
    deps: {
      handlers: {
        'local:': ({ payload }) => {
          if (typeof payload === 'object' && payload !== null && 'n' in payload) sum += Number(payload.n);
        },
      },
    },
  });
  expect(result.counts.delivered).toBe(100_000);
  expect(sum).toBe((100_000 * 100_001) / 2);
  const [left] = await post.sql(
    'select count(*)::int as n from m10_recovery.outbox where processed_at is null',
  );
  expect(left?.n).toBe(1_000);
});
