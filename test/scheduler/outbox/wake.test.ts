import { afterEach, expect, test } from 'vitest';
import { connect } from '../../../src/clients/postgres.js';
import { createOutboxWake, type OutboxWake } from '../../../src/scheduler/outbox/wake.js';
import { sql } from '../../checks/world.js';
import { until } from '../../store/poll.js';
import { usePost } from './post.js';

const post = usePost();
const wakes: OutboxWake[] = [];

afterEach(async () => {
  await Promise.all(wakes.splice(0).map((wake) => wake.stop()));
  await post.sql('drop schema if exists m10bot_wake cascade');
});

function waker(given: { readonly url?: string; readonly lookMs?: number } = {}) {
  const seen = { wakes: 0, lines: [] as string[] };
  const write = (fields: object, message: string) =>
    void seen.lines.push(`${message} ${JSON.stringify(fields)}`);
  const wake = createOutboxWake({
    connect: (hooks) =>
      connect({
        url: given.url ?? post.url,
        applicationName: 'outbox-wake',
        statementTimeoutMs: 10_000,
        lockTimeoutMs: 2_000,
        connectTimeoutMs: 5_000,
        ...hooks,
      }),
    onWake: () => {
      seen.wakes += 1;
    },
    log: { info: write, warn: write, error: write },
    ...(given.lookMs === undefined ? {} : { lookMs: given.lookMs }),
  });
  wakes.push(wake);
  wake.start();
  return { wake, seen };
}

test('wakes when it begins to listen and at each publishing, and no more once it is stopped', async () => {
  const { wake, seen } = waker();
  await until('it listens', () => seen.wakes === 1);
  await post.publish('http:a', {});
  await until('it is woken', () => seen.wakes === 2);
  expect(seen.lines.join()).toMatch(/a trigger on m10_recovery\.outbox wakes/);
  // A transaction of many events is few wakes.
  await new Promise((resolve) => setTimeout(resolve, 50));
  await post.sql(
    "insert into m10_recovery.outbox (aggregate_type, aggregate_id, event_type, payload) select 'a', n::text, 'b', '{}' from generate_series(1, 100) n",
  );
  await until('it is woken again', () => seen.wakes >= 3);
  expect(seen.wakes).toBeLessThanOrEqual(4);
  await wake.stop();
  const before = seen.wakes;
  await post.publish('http:b', {});
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(seen.wakes).toBe(before);
});

test('comes back after its session was ended, and wakes for what it may have missed', async () => {
  const { seen } = waker();
  await until('it listens', () => seen.wakes === 1);
  await post.sql(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'outbox-wake'",
  );
  await until('it listens again', () => seen.wakes === 2);
  await post.publish('http:a', {});
  await until('it is woken', () => seen.wakes === 3);
});

test('leaves m10_recovery as the migration made it, and makes its trigger again with a new table', async () => {
  const functions = () =>
    post.sql("select count(*)::int as n from pg_proc where pronamespace = 'm10_recovery'::regnamespace");
  const before = await functions();
  const { seen } = waker({ lookMs: 50 });
  await until('it listens', () => seen.wakes === 1);
  expect(await functions()).toEqual(before);
  await post.sql('drop trigger m10bot_outbox_wake on m10_recovery.outbox');
  await until(
    'the trigger is there again',
    async () => (await post.sql("select 1 from pg_trigger where tgname = 'm10bot_outbox_wake'")).length === 1,
  );
});

test('a role that may not make the trigger is told so once, and the schedule remains', async () => {
  await post.sql(
    `drop role if exists wake_reader; create role wake_reader login password 'reader';
     grant usage on schema m10_recovery to wake_reader; grant select on m10_recovery.outbox to wake_reader`,
  );
  try {
    const url = new URL(post.url);
    url.username = 'wake_reader';
    url.password = 'reader';
    const { wake, seen } = waker({ url: url.href, lookMs: 20 });
    await until('it listens', () => seen.wakes === 1);
    await until('it was told', () => seen.lines.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(seen.lines).toHaveLength(1);
    expect(seen.lines[0]).toMatch(/no trigger may be made.*permission denied/);
    await wake.stop();
  } finally {
    await sql(post.url, 'drop owned by wake_reader; drop role wake_reader');
  }
});
