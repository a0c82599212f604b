import { describe, expect, test } from 'vitest';
import type { Execution } from '../../src/scheduler/execute.js';
import { JobFailure, JobSkipped } from '../../src/scheduler/job.js';
import { until } from '../store/poll.js';
import { aborted, jobThat, type Replica, usePlace } from './place.js';
import { createProxy } from './proxy.js';

const place = usePlace();

function execution(given: Partial<Execution> & Pick<Execution, 'job'>): Execution {
  return {
    tick: null,
    trigger: 'hand',
    by: 'UALICE',
    dryRun: false,
    timeoutMs: 20_000,
    signal: new AbortController().signal,
    patienceMs: 0,
    ...given,
  };
}

const once = (replica: Replica, given: Partial<Execution> & Pick<Execution, 'job'>) =>
  replica.executor.execute(execution(given));

describe('a run', () => {
  test('works under its lock, over a session that bears its name, and is recorded with its figures', async () => {
    const replica = place.replica();
    const seen: unknown[] = [];
    const job = jobThat(async ({ database, lock }) => {
      seen.push(...(await place.sql('select lock_name, holder_id from m10_recovery.distributed_locks')));
      seen.push(lock.held(), (await database.query('show application_name')).rows[0]);
      return { summary: 'Removed 3 counts.', counts: { removed: 3 }, output: 'a line' };
    });
    const report = await once(replica, { job });
    expect(report).toMatchObject({ outcome: 'passed', summary: 'Removed 3 counts.', counts: { removed: 3 } });
    expect(seen).toEqual([
      { lock_name: 'm10:reclaim_gc', holder_id: replica.holder },
      true,
      { application_name: 'm10bot job reclaim-gc' },
    ]);
    expect(await place.sql('select 1 from m10_recovery.distributed_locks')).toEqual([]);
    expect(await place.runs.log('reclaim-gc', 5)).toMatchObject([
      {
        outcome: 'passed',
        by: 'UALICE',
        trigger: 'hand',
        counts: { removed: 3 },
        output: 'a line',
        tick: null,
      },
    ]);
    await until('its session is closed', async () => {
      const left = await place.sql(`select 1 from pg_stat_activity where application_name like 'm10bot job%'
        and datname = current_database()`);
      return left.length === 0;
    });
  });

  test('a failure says what happened and what to do; an unforeseen error is told without secrets', async () => {
    const replica = place.replica({ redact: (text) => text.replaceAll('hunter2', '[redacted]') });
    const failing = jobThat(async () => {
      throw new JobFailure('Table x could not be cleaned.', {
        advice: 'Grant DELETE.',
        counts: { deleted: 2 },
      });
    });
    expect(await once(replica, { job: failing })).toMatchObject({
      outcome: 'failed',
      summary: 'Table x could not be cleaned.',
      advice: 'Grant DELETE.',
      counts: { deleted: 2 },
    });
    const odd = jobThat(async () => {
      throw new TypeError('cannot read hunter2 of undefined');
    });
    const report = await once(replica, { job: odd });
    expect(report?.outcome).toBe('failed');
    expect(report?.summary).toContain('cannot read [redacted] of undefined');
    const [recorded] = await place.runs.log('reclaim-gc', 1);
    expect(JSON.stringify(recorded)).not.toContain('hunter2');
  });

  test('a statement that the database refuses is told with its code', async () => {
    const job = jobThat(async ({ database }) => {
      await database.query('select * from m10_recovery.nothing_here');
    });
    const report = await once(place.replica(), { job });
    expect(report?.summary).toContain('SQLSTATE 42P01');
    expect(report?.outcome).toBe('failed');
  });

  test('a good reason not to begin is no failure', async () => {
    const job = jobThat(async () => {
      throw new JobSkipped('Nobody needs it.', { advice: '' });
    });
    expect(await once(place.replica(), { job })).toMatchObject({
      outcome: 'skipped',
      summary: 'Nobody needs it.',
    });
  });

  test('a job that needs Redis, where there is none', async () => {
    const job = jobThat(async ({ redis }) => {
      await redis();
    });
    expect(await once(place.replica(), { job })).toMatchObject({
      outcome: 'failed',
      advice: expect.stringContaining('redis-url'),
    });
  });

  test('without a database: a failure that says so, and the tick stays taken', async () => {
    const replica = place.replica({ databaseUrl: 'postgresql://u:p@127.0.0.1:9/none' });
    const tick = Date.parse('2026-05-01T03:00:00Z');
    const job = jobThat(async () => ({}));
    expect(await once(replica, { job, tick, trigger: 'schedule' })).toMatchObject({
      outcome: 'failed',
      summary: expect.stringContaining('cannot be reached'),
    });
    expect(await once(place.replica(), { job, tick, trigger: 'schedule' })).toBeNull();
  });
});

describe('what it needs', () => {
  test('a job waits for what is not there by shape, and that is no failure', async () => {
    const job = jobThat(async () => ({}), {
      needs: {
        tables: { outbox: ['id', 'shape'], absent: ['id'] },
        calls: {
          acquire_lock: 'select m10_recovery.acquire_lock($1::jsonb, $2)',
          gone: 'select m10_recovery.gone()',
        },
        privileges: {},
      },
    });
    const report = await once(place.replica(), { job });
    expect(report).toMatchObject({ outcome: 'skipped' });
    expect(report?.output.split('\n')).toEqual([
      'm10_recovery.outbox: it has no column shape',
      'm10_recovery.absent: it is not there',
      'm10_recovery.acquire_lock: the job cannot call it: function m10_recovery.acquire_lock(jsonb, unknown) does not exist; there is acquire_lock(p_lock_name text, p_holder_id text, p_ttl_seconds integer)',
      'm10_recovery.gone: it is not there',
    ]);
  });

  test('before revision 022 it waits, with one line for all that its lock needs', async () => {
    const old = await place.world.databaseAt('021_m10_durable_queue_fallback');
    const report = await once(place.replica({ databaseUrl: old.url }), { job: jobThat(async () => ({})) });
    expect(report?.outcome).toBe('skipped');
    expect(report?.output).toContain('m10_recovery.distributed_locks: it is not there');
    expect(report?.output).toContain('m10_recovery.acquire_lock: it is not there');
  });

  test('a role that lacks a right is told which, before anything is taken', async () => {
    const role = `limited_${process.pid}`;
    await place.sql(`create role ${role} login password 'x';
      grant usage on schema m10_recovery to ${role};
      grant select, insert, update on all tables in schema m10_recovery to ${role}`);
    const url = new URL(place.target.databaseUrl);
    url.username = role;
    url.password = 'x';
    const job = jobThat(async () => ({}), {
      needs: { tables: {}, calls: {}, privileges: { outbox: ['SELECT', 'DELETE'] } },
    });
    try {
      const report = await once(place.replica({ databaseUrl: url.href }), { job });
      expect(report?.outcome).toBe('skipped');
      expect(report?.output).toBe(
        [
          `m10_recovery.distributed_locks: role ${role} lacks DELETE (GRANT DELETE)`,
          `m10_recovery.outbox: role ${role} lacks DELETE (GRANT DELETE)`,
        ].join('\n'),
      );
    } finally {
      await place.sql(`drop owned by ${role}; drop role ${role}`);
    }
  });
});

describe('a lock that somebody has', () => {
  test('the run is skipped, with who has it and until when; and the other way round', async () => {
    await place.sql(`select m10_recovery.acquire_lock('m10:reclaim_gc', 'worker-7', 60)`);
    const job = jobThat(async () => {
      const [answer] = await place.sql(
        `select m10_recovery.acquire_lock('m10:reclaim_gc', 'worker-7', 60) as got`,
      );
      return { summary: `They got ${answer?.got}.` };
    });
    const report = await once(place.replica(), { job });
    expect(report?.outcome).toBe('skipped');
    expect(report?.summary).toMatch(/worker-7 has the lock m10:reclaim_gc, until \d{4}-/);
    await place.sql(`select m10_recovery.release_lock('m10:reclaim_gc', 'worker-7')`);
    expect(await once(place.replica(), { job })).toMatchObject({
      outcome: 'passed',
      summary: 'They got false.',
    });
  });

  test('with patience it waits for it', async () => {
    await place.sql(`select m10_recovery.acquire_lock('m10:reclaim_gc', 'worker-7', 60)`);
    const running = once(place.replica(), { job: jobThat(async () => ({})), patienceMs: 20_000 });
    await place.sql(`select m10_recovery.release_lock('m10:reclaim_gc', 'worker-7')`);
    expect(await running).toMatchObject({ outcome: 'passed' });
  });
});

describe('ends before the end', () => {
  test('a lock that is lost in the middle stops the job before its next batch', async () => {
    let batches = 0;
    const job = jobThat(
      async ({ signal, lock }) => {
        const over = aborted(signal);
        while (lock.held()) {
          batches += 1;
          if (batches === 1) {
            await place.sql(`update m10_recovery.distributed_locks set holder_id = 'thief'`);
          }
          await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 50))]);
        }
        return { summary: `Did ${batches} batches.` };
      },
      { ttlSeconds: 3 },
    );
    const report = await once(place.replica(), { job });
    expect(report).toMatchObject({ outcome: 'lost' });
    expect(report?.summary).toContain('is not ours any more');
    expect(report?.summary).toContain(`Did ${batches} batches.`);
    expect(await place.sql('select holder_id from m10_recovery.distributed_locks')).toEqual([
      { holder_id: 'thief' },
    ]);
  });

  test('a database that goes away in the middle is a failure, and the next run works', async () => {
    const proxy = await createProxy(place.target.databaseUrl);
    const replica = place.replica({ databaseUrl: proxy.url });
    const job = jobThat(async ({ database }) => {
      proxy.cut();
      await database.query('select 1');
    });
    expect(await once(replica, { job })).toMatchObject({
      outcome: 'failed',
      summary: expect.stringContaining('cannot be reached'),
    });
    proxy.restore();
    // Its lock could not be given back, but it is our own.
    expect(await once(replica, { job: jobThat(async () => ({})) })).toMatchObject({ outcome: 'passed' });
    await proxy.close();
  });

  test('a time limit', async () => {
    const job = jobThat(async ({ signal }) => {
      await aborted(signal);
      return { summary: 'Got half of it done.' };
    });
    expect(await once(place.replica(), { job, timeoutMs: 300 })).toMatchObject({
      outcome: 'failed',
      summary: 'Did not end within 0.3 s and was stopped. Until then: Got half of it done.',
    });
  });

  test('told to stop: what was done counts, and nothing done is no failure', async () => {
    const stopping = async (throws: boolean) => {
      const told = new AbortController();
      const job = jobThat(async ({ signal }) => {
        told.abort('paused by <@UBOB>');
        await aborted(signal);
        if (throws) throw new Error('aborted');
      });
      return once(place.replica(), { job, signal: told.signal });
    };
    expect(await stopping(false)).toMatchObject({
      outcome: 'passed',
      summary: 'Did it. Stopped early: paused by <@UBOB>.',
    });
    expect(await stopping(true)).toMatchObject({
      outcome: 'skipped',
      summary: 'Stopped before its end: paused by <@UBOB>.',
    });
  });

  test('a statement that holds on is cancelled, and a job that hangs is given up', async () => {
    const replica = place.replica({ grace: { cancelMs: 100, giveUpMs: 10_000 } });
    const holding = jobThat(async ({ database }) => {
      await database.query('select pg_sleep(60)');
    });
    expect(await once(replica, { job: holding, timeoutMs: 200 })).toMatchObject({ outcome: 'failed' });
    const hanging = jobThat(() => new Promise<void>(() => undefined));
    const impatient = place.replica({ grace: { cancelMs: 50, giveUpMs: 100 } });
    const report = await once(impatient, { job: hanging, timeoutMs: 100 });
    expect(report?.summary).toContain('Did not stop when it was told to');
    expect(await place.sql('select 1 from m10_recovery.distributed_locks')).toEqual([]);
  });
});

describe('records', () => {
  test('a tick is run once', async () => {
    const tick = Date.parse('2026-05-01T03:00:00Z');
    let runs = 0;
    const job = jobThat(async () => {
      runs += 1;
    });
    const replicas = [place.replica(), place.replica(), place.replica()];
    const reports = await Promise.all(replicas.map((one) => once(one, { job, tick, trigger: 'schedule' })));
    expect(reports.filter((report) => report !== null)).toHaveLength(1);
    expect(runs).toBe(1);
  });

  test('between moments nothing is recorded unless something was done', async () => {
    const replica = place.replica();
    await once(replica, { job: jobThat(async () => ({ counts: { done: 0 } })), quiet: true });
    expect(await place.runs.log('reclaim-gc', 5)).toEqual([]);
    await once(replica, { job: jobThat(async () => ({ counts: { done: 4 } })), quiet: true });
    expect(await place.runs.log('reclaim-gc', 5)).toMatchObject([{ counts: { done: 4 } }]);
  });

  test('a run whose replica died is noted as lost by the next that has the lock', async () => {
    const start = {
      job: 'reclaim-gc',
      tick: 5_000,
      trigger: 'schedule',
      by: null,
      dryRun: false,
      owner: 'dead',
    } as const;
    const row = await place.runs.begin(start);
    await place.state.pool.query(
      `update m10bot.job_runs set started_at = now() - interval '1 h' where id = $1`,
      [row],
    );
    await once(place.replica(), { job: jobThat(async () => ({})) });
    expect((await place.runs.log('reclaim-gc', 5)).map((run) => run.outcome)).toEqual(['passed', 'lost']);
  });
});
