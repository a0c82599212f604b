import { expect, test } from 'vitest';
import { JobFailure } from '../../../src/scheduler/job.js';
import { until } from '../../store/poll.js';
import { usePost } from './post.js';

const post = usePost();
const allow = ['127.0.0.1'];

const pendingAndDone = async () => {
  const rows = await post.rows();
  return {
    pending: rows.filter((row) => row.processed_at === null),
    done: rows.filter((row) => row.processed_at !== null),
  };
};

test('when the lock is lost in the middle, what is under way is finished and nothing else is begun', async () => {
  const hook = await post.receiver();
  for (let n = 0; n < 100; n += 1) await post.publish('http:a', { url: hook.url });
  let held = true;
  hook.answer = (_, response) => {
    if (hook.got.length === 5) held = false;
    response.end();
  };
  const result = await post.run({
    config: { batch: 10, http: { allow, concurrency: 2 } },
    context: { lock: { name: 'm10:outbox_processor', holder: 'me', held: () => held } },
  });
  const { pending, done } = await pendingAndDone();
  expect(done).toHaveLength(hook.got.length);
  expect(result.counts.delivered).toBe(hook.got.length);
  expect(pending.length).toBeGreaterThan(50);
  // What was claimed and not begun is free for whoever has the lock now.
  expect(pending.every((row) => row.next_retry_at === null && row.processed_by === null)).toBe(true);
});

test('a stop before the first batch does nothing, and one between batches of this process ends there', async () => {
  for (let n = 0; n < 30; n += 1) await post.publish('local:a', {});
  const stop = new AbortController();
  let handled = 0;
  const run = () =>
    post.run({
      config: { batch: 10 },
      deps: { handlers: { 'local:': () => void (++handled === 5 && stop.abort('paused')) } },
      context: { signal: stop.signal },
    });
  expect((await run()).counts.delivered).toBe(10);
  expect((await run()).counts.delivered).toBe(0);
  expect((await pendingAndDone()).pending).toHaveLength(20);
});

test('no transaction is open while a delivery is under way', async () => {
  const hook = await post.receiver();
  const states: unknown[] = [];
  hook.answer = async (_, response) => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    states.push(
      ...(await post.sql(
        "select state, xact_start from pg_stat_activity where datname = current_database() and application_name = 'outbox-processor'",
      )),
    );
    response.end();
  };
  await post.publish('http:a', { url: hook.url });
  await post.run({ config: { http: { allow } } });
  expect(states).toEqual([{ state: 'idle', xact_start: null }]);
});

test('when the database goes, the job fails with what it did; the next run goes on and nothing is lost', async () => {
  const hook = await post.receiver();
  for (let n = 0; n < 20; n += 1) await post.publish('http:a', { url: hook.url });
  let ended = false;
  hook.answer = async (_, response) => {
    if (hook.got.length === 5) {
      ended = true;
      await post.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'outbox-processor'",
      );
    }
    response.end();
  };
  const failure = await post
    .run({ config: { http: { allow, concurrency: 2 } } })
    .catch((error: unknown) => error);
  expect(ended).toBe(true);
  expect(failure).toBeInstanceOf(JobFailure);
  if (!(failure instanceof JobFailure)) return;
  expect(failure.message).toMatch(/could not be processed to its end/);
  expect(failure.advice).toMatch(/Nothing is lost/);
  expect(failure.counts).toHaveProperty('delivered');

  // The leases of the run that broke off run out.
  await post.sql('update m10_recovery.outbox set next_retry_at = null where processed_at is null');
  hook.answer = (_, response) => void response.end();
  await post.run({ config: { http: { allow } } });
  const { pending, done } = await pendingAndDone();
  expect(pending).toEqual([]);
  const ids = new Set(hook.got.map(({ id }) => id));
  expect(done.every((row) => ids.has(String(row.id)))).toBe(true);
});

test('events of this process are as they were when the database goes before their commit', async () => {
  const ids: string[] = [];
  for (let n = 0; n < 5; n += 1) ids.push(await post.publish('local:a', {}));
  const handled: string[] = [];
  let cut = true;
  const run = () =>
    post.run({
      deps: {
        handlers: {
          'local:': async (event) => {
            handled.push(event.id);
            if (cut)
              await post.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'outbox-processor'",
              );
          },
        },
      },
    });
  await expect(run()).rejects.toBeInstanceOf(JobFailure);
  expect((await pendingAndDone()).pending).toHaveLength(5);
  expect((await pendingAndDone()).pending[0]).toMatchObject({ retry_count: 0, next_retry_at: null });
  cut = false;
  await run();
  expect(new Set(handled)).toEqual(new Set(ids));
  expect((await pendingAndDone()).pending).toEqual([]);
});

test('an event whose lease ran out during its delivery is completed by the one who has it then', async () => {
  const hook = await post.receiver();
  const id = await post.publish('http:a', { url: hook.url });
  hook.answer = async (_, response) => {
    // Another processor takes it over, as after the end of the lease.
    await post.sql(
      `update m10_recovery.outbox set next_retry_at = now() + interval '1 hour', processed_by = 'other' where id = ${id}`,
    );
    response.end();
  };
  await post.run({ config: { http: { allow } } });
  expect(await post.row(id)).toMatchObject({ processed_at: null, processed_by: 'other' });
});

test('a dead letter that cannot be archived stays in the outbox, and the job fails with the reason', async () => {
  const bad = await post.publish('strange', {});
  const good = await post.publish('local:a', {});
  await post.sql(
    'alter table m10_recovery.dead_letter_archive add constraint closed check (dl_msg_id is null) not valid',
  );
  try {
    const failure = await post
      .run({ config: { attempts: 1 }, deps: { handlers: { 'local:': () => {} } } })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(JobFailure);
    expect(failure instanceof JobFailure && failure.message).toMatch(
      /could not be put into the archive.*closed/,
    );
    expect(await post.row(bad)).toMatchObject({ processed_at: null, retry_count: 1 });
    expect((await post.row(bad)).last_error).toMatch(/could not be put into the archive.*Nobody handles/);
    expect((await post.row(good)).processed_at).not.toBeNull();
  } finally {
    await post.sql('alter table m10_recovery.dead_letter_archive drop constraint closed');
  }
  await post.sql('update m10_recovery.outbox set next_retry_at = null');
  const result = await post.run({ config: { attempts: 1 } });
  expect(result.counts.deadLettered).toBe(1);
  expect(await post.sql('select 1 from m10_recovery.dead_letter_archive')).toHaveLength(1);
});

test('a claim looks at its batch and not at all that is pending', async () => {
  await post.sql(
    `insert into m10_recovery.outbox (aggregate_type, aggregate_id, event_type, payload)
     select 'order', n::text, 'local:x', '{}' from generate_series(1, 20000) n`,
  );
  await post.sql("select pg_stat_reset_single_table_counters('m10_recovery.outbox'::regclass)");
  const stop = new AbortController();
  let handled = 0;
  const database = await post.open();
  await post.run({
    config: { batch: 100 },
    deps: { handlers: { 'local:': () => void (++handled === 1 && stop.abort()) } },
    context: { database, signal: stop.signal },
  });
  expect(handled).toBe(100);
  const read = async () => {
    const [row] = await post.sql(
      `select idx_tup_fetch::int as n from pg_stat_user_tables where relname = 'outbox'`,
    );
    return Number(row?.n ?? 0);
  };
  await database.close();
  await until('the session’s statistics are there', async () => (await read()) > 0);
  expect(await read()).toBeLessThan(5_000);
});
