import { describe, expect, test } from 'vitest';
import { pauseJobs, requestRun, resumeJobs } from '../../src/runbook/jobs/decide.js';
import { jobNames } from '../../src/runbook/jobs/names.js';
import { until } from '../store/poll.js';
import { aborted, approvalOf, jobThat, usePlace } from './place.js';
import { createProxy } from './proxy.js';

const place = usePlace();
const everySecond = { 'reclaim-gc': { schedule: '* * * * * *' } };
const job = 'reclaim-gc' as const;
const asker = { by: 'UALICE', operator: true, via: 'command' } as const;
const change = { ...asker, jobs: [job], reason: 'because', run: null };

const resume = () => place.journal.execute((state) => resumeJobs(state, approvalOf([job])));
const pause = () => place.journal.execute((state) => pauseJobs(state, change));
/** A dry run changes nothing, so that nobody has to approve it. */
const request = () => place.journal.execute((state) => requestRun(state, { ...asker, job, dryRun: true }));
const log = () => place.runs.log(job, 100);

/** Moves the switching on into the past, as if the schedule had been on for long. */
function longAgo(ms: number) {
  return place.state.pool.query(
    `begin; alter table m10bot.events disable trigger all;
     update m10bot.events set at = at - interval '${ms} ms' where stream = 'jobs:${place.target.name}';
     alter table m10bot.events enable trigger all; commit`,
  );
}

describe('schedules', () => {
  test('are off until somebody switches them on', async () => {
    const replica = place.replica({ jobs: [jobThat(async () => {})], config: everySecond });
    replica.scheduler.start();
    await request();
    await until(
      'a run by hand has ended',
      async () => (await place.journal.load()).state.requests.length === 0,
    );
    const [overview] = await replica.scheduler.port.overview();
    expect(overview).toMatchObject({ paused: { by: null }, nextRun: null, last: { trigger: 'hand' } });
    expect((await log()).map((run) => run.trigger)).toEqual(['hand']);
  });

  test('two replicas run each moment once, and both have their turn when one ends', async () => {
    const starts: number[] = [];
    const counting = (to: number[]) => jobThat(async () => void to.push(Date.now()));
    const [a, b] = [
      place.replica({ jobs: [counting(starts)], config: everySecond }),
      place.replica({ jobs: [counting(starts)], config: everySecond }),
    ];
    a.scheduler.start();
    b.scheduler.start();
    await resume();
    await until('some moments have passed', async () => (await log()).length >= 4);
    await a.scheduler.stop();
    const seen = (await log()).length;
    await until('the other goes on', async () => (await log()).length >= seen + 2);
    await b.scheduler.stop();
    const runs = await log();
    const ticks = runs.map((run) => run.tick);
    expect(new Set(ticks).size).toBe(ticks.length);
    expect(runs.filter((run) => run.outcome === 'passed')).toHaveLength(starts.length);
    expect(runs.every((run) => run.trigger === 'schedule' && run.by === null)).toBe(true);
    // One moment each second, none left out.
    const sorted = ticks.map(Number).sort((x, y) => x - y);
    sorted.slice(1).forEach((tick, i) => {
      expect(tick - (sorted[i] ?? 0)).toBe(1_000);
    });
  });

  test('a moment that comes while the job still runs is left out', async () => {
    const replica = place.replica({ jobs: [jobThat(({ signal }) => aborted(signal))], config: everySecond });
    replica.scheduler.start();
    await resume();
    await until(
      'moments have been left out',
      () => replica.lines.filter((l) => l.includes('left out')).length >= 2,
    );
    expect(await log()).toHaveLength(1);
  });

  test('a missed moment is made up for by one run at the start, if the schedule was on', async () => {
    const hourly = { 'reclaim-gc': { schedule: '0 * * * *' } };
    await resume();
    await longAgo(5 * 3_600_000);
    const replicas = [1, 2].map(() => place.replica({ jobs: [jobThat(async () => {})], config: hourly }));
    for (const replica of replicas) replica.scheduler.start();
    await until('it ran', async () => (await log()).some((run) => run.outcome === 'passed'));
    for (const replica of replicas) await replica.scheduler.stop();
    const hour = Math.floor(Date.now() / 3_600_000) * 3_600_000;
    expect(await log()).toMatchObject([{ trigger: 'made-up', tick: hour }]);
    // Another life finds nothing to make up for.
    const again = place.replica({ jobs: [jobThat(async () => {})], config: hourly });
    again.scheduler.start();
    await request();
    await until('it has looked', async () => (await place.journal.load()).state.requests.length === 0);
    expect(await log()).toHaveLength(2);
  });

  test('a schedule that was switched on after its moment has nothing to make up for', async () => {
    const replica = place.replica({
      jobs: [jobThat(async () => {})],
      config: { 'reclaim-gc': { schedule: '0 * * * *' } },
    });
    replica.scheduler.start();
    await resume();
    await request();
    await until('it has looked', async () => (await place.journal.load()).state.requests.length === 0);
    expect((await log()).map((run) => run.trigger)).toEqual(['hand']);
  });

  test('while the objects are not there, it waits without failing, and begins when they have come', async () => {
    await place.sql('alter table m10_recovery.replay_log rename to replay_log_away');
    const needs = { tables: { replay_log: ['id'] }, calls: {}, privileges: {} };
    const replica = place.replica({ jobs: [jobThat(async () => {}, { needs })], config: everySecond });
    try {
      replica.scheduler.start();
      await resume();
      await until('it knows', () => replica.lines.some((line) => line.includes('waits for objects')));
      const [overview] = await replica.scheduler.port.overview();
      expect(overview?.waitsFor).toEqual(['m10_recovery.replay_log: it is not there']);
      expect(overview?.failures).toBe(0);
      expect((await log()).every((run) => run.outcome === 'skipped')).toBe(true);
    } finally {
      await place.sql('alter table m10_recovery.replay_log_away rename to replay_log');
    }
    await until('it runs', async () => (await log()).some((run) => run.outcome === 'passed'));
  });

  test('the database of the target goes away and comes back', async () => {
    const proxy = await createProxy(place.target.databaseUrl);
    const replica = place.replica({
      jobs: [jobThat(async () => {})],
      config: everySecond,
      databaseUrl: proxy.url,
    });
    replica.scheduler.start();
    await resume();
    await until('it runs', async () => (await log()).some((run) => run.outcome === 'passed'));
    proxy.cut();
    await until('it fails', async () => (await log())[0]?.outcome === 'failed');
    const alarms = async () => (await place.journal.load()).state.alarms[job];
    await until('people are told', async () => (await alarms()).failing !== undefined);
    proxy.restore();
    await until('it works again', async () => (await log())[0]?.outcome === 'passed');
    await until('people are told', async () => (await alarms()).failing === undefined);
    await replica.scheduler.stop();
    await proxy.close();
  });
});

describe('when something is not as it was', () => {
  test('the bot’s own database goes away and comes back: nothing runs in between, and it goes on', async () => {
    const proxy = await createProxy(place.state.url);
    const replica = place.replica({
      jobs: [jobThat(async () => {})],
      config: everySecond,
      stateUrl: proxy.url,
    });
    replica.scheduler.start();
    await resume();
    const passed = async () => (await log()).filter((run) => run.outcome === 'passed').length;
    await until('it runs', async () => (await passed()) > 0);
    proxy.cut();
    await until('a moment could not be claimed', () =>
      replica.lines.some((line) => line.includes('be claimed')),
    );
    const then = await passed();
    proxy.restore();
    await until('it goes on', async () => (await passed()) > then + 1);
    const ticks = (await log()).map((run) => run.tick);
    expect(new Set(ticks).size).toBe(ticks.length);
    await replica.scheduler.stop();
    await proxy.close();
  });

  test('a clock that is set forward gives one run, and one that is set back none', async () => {
    const hour = 3_600_000;
    let set = 0;
    const replica = place.replica({
      jobs: [jobThat(async () => {})],
      config: { 'reclaim-gc': { schedule: '0 * * * *' } },
      now: () => Date.now() + set,
      pace: { clockMs: 50 },
    });
    await resume();
    replica.scheduler.start();
    await request();
    await until('it has begun', async () => (await place.journal.load()).state.requests.length === 0);
    set = 5 * hour;
    await until('it makes up', async () => (await log()).some((run) => run.trigger === 'made-up'));
    const noticed = () => replica.lines.filter((line) => line.includes('the clock was set')).length;
    set = 2 * hour;
    await until('it is noticed', () => noticed() === 2);
    set = 5 * hour;
    await until('it is noticed', () => noticed() === 3);
    expect((await log()).map((run) => [run.trigger, run.tick])).toEqual([
      ['made-up', Math.floor((Date.now() + 5 * hour) / hour) * hour],
      ['hand', null],
    ]);
  });

  test('between two moments, a nudge runs the job if its schedule is on', async () => {
    let runs = 0;
    const counting = jobThat(async () => {
      runs += 1;
    });
    const replica = place.replica({ jobs: [counting], config: { 'reclaim-gc': { schedule: '0 0 1 1 *' } } });
    replica.scheduler.start();
    await replica.scheduler.port.resume(approvalOf([job], 'UBOB'));
    await until('it is nudged', () => {
      replica.scheduler.nudge(job);
      return runs > 0;
    });
    await replica.scheduler.stop();
    expect(await log()).toEqual([]);
  });
});

describe('pausing', () => {
  test('by any replica ends the run of another before its next batch, and keeps the schedule off', async () => {
    let begun = false;
    const long = jobThat(async ({ signal }) => {
      begun = true;
      await aborted(signal);
    });
    const a = place.replica({ jobs: [long], config: everySecond });
    a.scheduler.start();
    await resume();
    await until('it runs', () => begun);
    const b = place.replica({ jobs: [jobThat(async () => {})], config: everySecond });
    await b.scheduler.port.pause({ jobs: [job], by: 'UBOB', reason: 'rollback', run: 7 });
    const runs = await log();
    expect(runs).toMatchObject([{ outcome: 'passed', summary: 'Did it. Stopped early: paused by <@UBOB>.' }]);
    const [overview] = await a.scheduler.port.overview();
    expect(overview).toMatchObject({
      paused: { by: 'UBOB', reason: 'rollback', run: 7 },
      nextRun: null,
      leader: null,
    });
    // A run by hand is still possible, and shows that no run by the schedule came in between.
    await b.scheduler.port.runOnce({ job, by: 'UBOB', dryRun: false, trigger: 'runbook', signal: never() });
    expect((await log()).map((run) => run.trigger)).toEqual(['runbook', 'schedule']);
  });

  test('says so when a run does not end in time', async () => {
    let finish: () => void = () => {};
    let begun = false;
    const deaf = jobThat(() => {
      begun = true;
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    const stuck = place.replica({ jobs: [deaf], config: everySecond });
    stuck.scheduler.start();
    await resume();
    await until('it runs', () => begun);
    const other = place.replica({ jobs: [jobThat(async () => {})], pace: { pauseWaitMs: 500 } });
    const pausing = other.scheduler.port.pause({ jobs: jobNames, by: 'UBOB', reason: '', run: null });
    await expect(pausing).rejects.toThrow(/reclaim-gc \(m10bot:.*did not end within/);
    expect((await place.journal.load()).state.paused[job]).toMatchObject({ by: 'UBOB' });
    finish();
  });

  test('switching on again goes on from the next moment', async () => {
    const replica = place.replica({ jobs: [jobThat(async () => {})], config: everySecond });
    replica.scheduler.start();
    await replica.scheduler.port.resume(approvalOf([job], 'UBOB'));
    await until('it runs', async () => (await log()).length > 0);
    await pause();
    await replica.scheduler.port.resume(approvalOf([job], 'UBOB'));
    const { state } = await place.journal.load();
    const resumedAt = state.resumedAt[job] ?? 0;
    await until('it runs again', async () => Number((await log())[0]?.tick) >= resumedAt);
    // None of the moments between the pause and now was made up for.
    expect((await log()).every((run) => run.trigger === 'schedule')).toBe(true);
  });
});

describe('runs by hand', () => {
  test('are run by one replica, and end in the journal', async () => {
    let runs = 0;
    const counting = jobThat(async () => {
      runs += 1;
      return { summary: 'Removed nothing.', output: 'all of it' };
    });
    for (const replica of [place.replica({ jobs: [counting] }), place.replica({ jobs: [counting] })]) {
      replica.scheduler.start();
    }
    await request();
    await until('it has ended', async () => (await place.journal.load()).state.requests.length === 0);
    expect(runs).toBe(1);
    expect(await log()).toMatchObject([{ trigger: 'hand', by: 'UALICE', outcome: 'passed' }]);
  });

  test('of a replica that ended are taken over by another', async () => {
    const first = place.replica({
      jobs: [
        jobThat(async ({ signal }) => {
          await aborted(signal);
          throw new Error('aborted');
        }),
      ],
    });
    first.scheduler.start();
    await request();
    await until(
      'it runs',
      async () => (await place.sql('select 1 from m10_recovery.distributed_locks')).length > 0,
    );
    await first.scheduler.stop();
    expect((await place.journal.load()).state.requests).toHaveLength(1);
    const second = place.replica({
      jobs: [jobThat(async () => ({ summary: 'Done.' }))],
      pace: { requestLeaseMs: 2_000 },
    });
    second.scheduler.start();
    await until('it has ended', async () => (await place.journal.load()).state.requests.length === 0);
    expect((await log())[0]).toMatchObject({ outcome: 'passed', summary: 'Done.' });
  });

  test('of before a pause are not run after it', async () => {
    await request();
    await resume();
    await pause();
    let runs = 0;
    const replica = place.replica({
      jobs: [
        jobThat(async () => {
          runs += 1;
        }),
      ],
    });
    replica.scheduler.start();
    await until('it has ended', async () => (await place.journal.load()).state.requests.length === 0);
    expect(runs).toBe(0);
  });

  test('wait for one that is under way here', async () => {
    let finish = () => {};
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const order: string[] = [];
    const replica = place.replica({
      jobs: [
        jobThat(async ({ dryRun }) => {
          order.push(dryRun ? 'dry begins' : 'wet begins');
          if (!dryRun) await gate;
          order.push(dryRun ? 'dry ends' : 'wet ends');
        }),
      ],
    });
    const { port } = replica.scheduler;
    const once = { job, by: 'UALICE', trigger: 'hand', signal: never() } as const;
    const wet = port.runOnce({ ...once, dryRun: false });
    await until('it runs', () => order.length === 1);
    const dry = port.runOnce({ ...once, dryRun: true });
    finish();
    await Promise.all([wet, dry]);
    expect(order).toEqual(['wet begins', 'wet ends', 'dry begins', 'dry ends']);
  });
});

test('the overview says everything about a job', async () => {
  const weekly = { 'reclaim-gc': { schedule: '*/30 * * * * *', timezone: 'Europe/Berlin' } };
  const replica = place.replica({ jobs: [jobThat(async () => {})], config: weekly });
  replica.scheduler.start();
  await replica.scheduler.port.resume(approvalOf([job], 'UBOB'));
  await place.sql(`select m10_recovery.acquire_lock('m10:reclaim_gc', 'worker-7', 60)`);
  const [overview] = await replica.scheduler.port.overview();
  expect(overview).toMatchObject({
    job,
    schedule: '*/30 * * * * *',
    words: 'Every 30 seconds (Europe/Berlin)',
    command: null,
    paused: null,
    waitsFor: [],
    leader: { holder: 'worker-7', ours: false },
    failures: 0,
  });
  expect((overview?.nextRun ?? 0) % 30_000).toBe(0);
  const nowhere = place.replica({
    jobs: [jobThat(async () => {})],
    databaseUrl: 'postgresql://a:b@127.0.0.1:9/x',
  });
  expect(await nowhere.scheduler.port.overview()).toMatchObject([{ waitsFor: null, leader: null }]);
});

function never(): AbortSignal {
  return new AbortController().signal;
}
