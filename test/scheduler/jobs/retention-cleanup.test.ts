import { describe, expect, test } from 'vitest';
import { createRetentionCleanup } from '../../../src/scheduler/jobs/retention-cleanup.js';
import { holdLocks, useStreams } from './streams.js';

const streams = useStreams();
const day = 86_400_000;
const config = {
  schedule: '0 3 * * 0',
  timeout: 3_600_000,
  budget: 600_000,
  batch: 10,
  'dead-letter-archive': 90 * day,
  'replay-log': 30 * day,
  outbox: 7 * day,
};
const job = createRetentionCleanup(config);

/** In each table as many rows that are too old as given, and three that are not. */
async function fill(old: number, kept = 3): Promise<void> {
  const ages = (days: number) =>
    `select i, now() - make_interval(days => case when i <= ${old} then ${days + 1} else ${days - 1} end) as at
       from generate_series(1, ${old + kept}) as i`;
  await streams.sql(
    `insert into m10_recovery.dead_letter_archive (dl_msg_id, archived_at) select 'dl-' || i, at from (${ages(90)}) as a`,
  );
  await streams.sql(
    `insert into m10_recovery.replay_log (original_msg_id, replayed_at) select 'm-' || i, at from (${ages(30)}) as a`,
  );
  await streams.sql(
    `insert into m10_recovery.outbox (aggregate_type, aggregate_id, event_type, payload, created_at, processed_at)
     select 'a', i::text, 'e', '{}', at, at from (${ages(7)}) as a`,
  );
  await streams.sql(
    `insert into m10_recovery.distributed_locks (lock_name, holder_id, expires_at)
     select 'l-' || i, 'h', case when i <= ${old} then now() - interval '1 s' else now() + interval '1 h' end
       from generate_series(1, ${old + kept}) as i`,
  );
}

async function left(): Promise<Record<string, unknown> | undefined> {
  const [row] = await streams.sql(
    `select (select count(*)::int from m10_recovery.dead_letter_archive) as archive,
            (select count(*)::int from m10_recovery.replay_log) as replays,
            (select count(*)::int from m10_recovery.outbox) as outbox,
            (select count(*)::int from m10_recovery.distributed_locks) as locks`,
  );
  return row;
}

const all = (count: number) => ({
  dead_letter_archive: count,
  replay_log: count,
  outbox: count,
  distributed_locks: count,
});

describe('what is older than it is kept', () => {
  test('goes in batches; what is younger, pending, or held stays', async () => {
    await fill(25);
    await streams.sql(
      `insert into m10_recovery.outbox (aggregate_type, aggregate_id, event_type, payload, created_at)
       values ('a', 'pending', 'e', '{}', now() - interval '1 year')`,
    );
    let told = 0;
    const observer = {
      lock: () => {},
      outbox: () => {},
      archived: () => {},
      retentionDeleted: (count: number) => {
        told += count;
      },
      jobRun: () => {},
    };
    const dry = await job.run(await streams.context({ dryRun: true }));
    expect(dry.counts).toEqual(all(25));
    expect(dry.summary).toMatch(/^Would delete 25 archived dead letters, 25 replays, /);
    expect(await left()).toEqual({ archive: 28, replays: 28, outbox: 29, locks: 28 });
    const real = await createRetentionCleanup(config, { observer }).run(await streams.context());
    expect(real.counts).toEqual(all(25));
    expect(told).toBe(100);
    expect(await left()).toEqual({ archive: 3, replays: 3, outbox: 4, locks: 3 });
    expect((await job.run(await streams.context())).counts).toEqual(all(0));
  });

  test('10,000 rows of each, in batches of 1,000', async () => {
    await fill(10_000);
    const session = await streams.session();
    const result = await createRetentionCleanup({ ...config, batch: 1_000 }).run(
      await streams.context({ database: session.database }),
    );
    expect(result.counts).toEqual(all(10_000));
    // Eleven batches of each of three tables, one call for the locks, two to begin.
    expect(session.count()).toBe(36);
    expect(await left()).toEqual({ archive: 3, replays: 3, outbox: 3, locks: 3 });
  });
});

describe('a run that is not brought to its end', () => {
  test('its own time is up: it says what is left, and the next run goes on', async () => {
    await fill(30);
    const result = await createRetentionCleanup({ ...config, budget: 0 }).run(await streams.context());
    expect(result.counts).toEqual(all(0));
    expect(result.summary).toBe(
      'Deleted 0 archived dead letters, 0 replays, 0 processed outbox events, 0 expired locks. Stopped before the end, since its time is up; 30 archived dead letters, 30 replays, 30 processed outbox events, 30 expired locks left for the next run.',
    );
    expect((await job.run(await streams.context())).counts).toEqual(all(30));
  });

  test('a large table does not use up the turn of the others, and a lost lock stops before the next batch', async () => {
    await fill(30);
    let asked = 0;
    const held = () => {
      asked += 1;
      return asked <= 6;
    };
    const context = await streams.context({ lock: { name: 'm10:retention_cleanup', holder: 'me', held } });
    const result = await job.run(context);
    expect(result.counts).toEqual({
      dead_letter_archive: 20,
      replay_log: 20,
      outbox: 10,
      distributed_locks: 30,
    });
    expect(result.summary).toContain('since the lock m10:retention_cleanup is not surely ours any more.');
  });

  test('killed before any statement: the next run does the rest', async () => {
    const whole = await streams.session();
    await fill(15);
    await job.run(await streams.context({ database: whole.database }));
    for (let breakAfter = 0; breakAfter < whole.count(); breakAfter += 1) {
      await streams.sql(
        'truncate m10_recovery.dead_letter_archive, m10_recovery.replay_log, m10_recovery.outbox, m10_recovery.distributed_locks',
      );
      await fill(15);
      const { database } = await streams.session({ breakAfter });
      await expect(job.run(await streams.context({ database }))).rejects.toMatchObject({
        name: 'JobFailure',
        message: expect.stringContaining('the database connection was lost'),
      });
      await job.run(await streams.context());
      expect(await left()).toEqual({ archive: 3, replays: 3, outbox: 3, locks: 3 });
    }
  });

  test('two at once delete each row once', async () => {
    await fill(200);
    const contexts = [await streams.context(), await streams.context()];
    const results = await Promise.all(contexts.map((context) => job.run(context)));
    for (const table of ['dead_letter_archive', 'replay_log', 'outbox']) {
      expect(results.reduce((sum, { counts }) => sum + (counts[table] ?? 0), 0)).toBe(200);
    }
    expect(await left()).toEqual({ archive: 3, replays: 3, outbox: 3, locks: 3 });
  });
});

describe('a table that fails is named, and the others are done', () => {
  test('a lock that somebody holds on it', async () => {
    await fill(25);
    const release = await holdLocks(streams.databaseUrl, 'lock table m10_recovery.replay_log');
    try {
      await expect(job.run(await streams.context())).rejects.toMatchObject({
        name: 'JobFailure',
        message: expect.stringMatching(/^replay_log was not cleaned: .*lock timeout/),
        advice: expect.stringContaining('pg_blocking_pids'),
        counts: { ...all(25), replay_log: 0 },
      });
    } finally {
      await release();
    }
    expect(await left()).toEqual({ archive: 3, replays: 28, outbox: 3, locks: 3 });
  });

  test('no DELETE for the role, on one table or on all', async () => {
    await fill(5);
    await streams.sql('drop role if exists t_cleaner');
    await streams.sql("create role t_cleaner login password 'cleaner'");
    try {
      await streams.sql('grant usage on schema m10_recovery to t_cleaner');
      await streams.sql('grant select on all tables in schema m10_recovery to t_cleaner');
      await streams.sql('grant delete on m10_recovery.outbox to t_cleaner');
      const url = new URL(streams.databaseUrl);
      url.username = 't_cleaner';
      url.password = 'cleaner';
      const { database } = await streams.session({ databaseUrl: url.href });
      await expect(job.run(await streams.context({ database }))).rejects.toMatchObject({
        message: expect.stringMatching(
          /dead_letter_archive was not cleaned: .*; replay_log was not .*; distributed_locks was not/,
        ),
        advice: expect.stringContaining('GRANT SELECT, DELETE ON m10_recovery.distributed_locks'),
        counts: { ...all(0), outbox: 5 },
      });
    } finally {
      await streams.sql('drop owned by t_cleaner');
      await streams.sql('drop role t_cleaner');
    }
  });
});
