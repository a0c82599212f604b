import { beforeEach, expect, test } from 'vitest';
import { createMatviewRefresh } from '../../../src/scheduler/jobs/matview-refresh.js';
import { holdLocks, useStreams } from './streams.js';

const streams = useStreams();
const job = createMatviewRefresh({ view: 'mv_top_pending' });
const other = createMatviewRefresh({ view: 'mv_other' });
const log = () => streams.sql('select view_name, success from m10_recovery.matview_refresh_log order by id');

beforeEach(async () => {
  await streams.sql('truncate m10_recovery.matview_refresh_log');
  await streams.sql('drop materialized view if exists m10_recovery.mv_other');
});

test('the view is refreshed, with its age before and after', async () => {
  expect(job).toMatchObject({ lock: 'm10:matview:mv_top_pending', ttlSeconds: 300 });
  const first = await job.run(await streams.context());
  expect(first.summary).toMatch(
    /^Refreshed mv_top_pending in [\d,]+ ms; it was without a refresh in the log, and is 0 s old\.$/,
  );
  await streams.sql(
    "update m10_recovery.matview_refresh_log set completed_at = completed_at - interval '3 hours'",
  );
  const second = await job.run(await streams.context());
  expect(second.summary).toMatch(/it was 3 h old, and is 0 s old/);
  expect(second.counts).toMatchObject({ ageBeforeSeconds: 10_800, ageAfterSeconds: 0 });
  expect(await log()).toHaveLength(2);
});

test('what the refresh is for: new candidates are seen', async () => {
  const top = async () =>
    (await streams.sql('select candidate_id::int as id from m10_recovery.mv_top_pending')).map(
      ({ id }) => id,
    );
  const [added] = await streams.sql(
    `insert into public.recovery_candidates (failure_match_id, suggestion, confidence, occurrence_count)
     values (gen_random_uuid(), 'try again', 1, 1000000) returning id::int`,
  );
  expect(await top()).not.toContain(added?.id);
  await job.run(await streams.context());
  expect(await top()).toContain(added?.id);
});

test('a dry run refreshes nothing', async () => {
  const result = await job.run(await streams.context({ dryRun: true }));
  expect(result.summary).toBe('Would refresh mv_top_pending, which is without a refresh in the log.');
  expect(await log()).toEqual([]);
});

test.each([
  ['that is not there', null, 'There is no m10_recovery.mv_other'],
  ['that was created without data', 'with no data', 'REFRESH MATERIALIZED VIEW m10_recovery.mv_other once'],
  ['without a unique index', 'with data', 'CREATE UNIQUE INDEX on m10_recovery.mv_other'],
])('a view %s: the answer of the function is a failure, and says what to do', async (_, data, advice) => {
  if (data !== null) {
    await streams.sql(`create materialized view m10_recovery.mv_other as select 1 as id ${data}`);
    if (data === 'with no data') await streams.sql('create unique index on m10_recovery.mv_other (id)');
  }
  await expect(other.run(await streams.context())).rejects.toMatchObject({
    name: 'JobFailure',
    message: expect.stringMatching(/^mv_other was not refreshed: /),
    advice: expect.stringContaining(advice),
  });
  expect((await other.run(await streams.context({ dryRun: true }))).output).toContain(advice);
  expect(await log()).toEqual([{ view_name: 'mv_other', success: false }]);
});

test('a lock that somebody else holds on the view is told as such', async () => {
  const release = await holdLocks(
    streams.databaseUrl,
    'refresh materialized view concurrently m10_recovery.mv_top_pending',
  );
  try {
    const context = await streams.context();
    await context.database.query("select set_config('lock_timeout', '100ms', false)");
    await expect(job.run(context)).rejects.toMatchObject({
      name: 'JobFailure',
      message: expect.stringContaining('lock timeout'),
      advice: expect.stringContaining('holds a lock'),
    });
  } finally {
    await release();
  }
  expect((await job.run(await streams.context())).counts).toHaveProperty('ageAfterSeconds', 0);
});

test('two replicas at once both end well', async () => {
  const contexts = [await streams.context(), await streams.context()];
  const results = await Promise.all(contexts.map((context) => job.run(context)));
  expect(results).toHaveLength(2);
  expect(await log()).toEqual([
    { view_name: 'mv_top_pending', success: true },
    { view_name: 'mv_top_pending', success: true },
  ]);
});

test('the database gone in the middle is a failure that says so', async () => {
  const { database } = await streams.session();
  await streams.sql('select pg_terminate_backend($1)', database.backendPid);
  await expect(job.run(await streams.context({ database }))).rejects.toMatchObject({
    name: 'JobFailure',
    message: expect.stringContaining('the database connection was lost'),
  });
});
