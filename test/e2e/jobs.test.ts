import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { jobNames } from '../../src/runbook/jobs/names.js';
import { revisions } from '../../workspace/backend/variants.js';
import { USERS } from '../../workspace/slack/people.js';
import { approve, buttons, eventsOf, gate, happened, keepChannel, prompt, told, words } from './acts.js';
import { aboutJobs, dropIndex, handOver022, jobEvents, jobsShown, often, runsOf, until } from './jobs.js';
import { openShelf, type Shelf } from './runbooks.js';
import { openTheatre, type Play, type Theatre } from './support.js';

// A busy machine takes its time; what is waited for has deadlines of its own.
vi.setConfig({ testTimeout: 240_000 });

let theatre: Theatre;
let shelf: Shelf;
let plays: { readonly calm: Play; readonly killed: Play };
beforeAll(async () => {
  [theatre, shelf] = await Promise.all([openTheatre(), openShelf()]);
  const retire = [['/bin/sh', '-c', `echo "$DATABASE_URL" >> '${retired()}'`]];
  await writeProgram('honest');
  const command = { argv: [program()] };
  const [calm, killed] = await Promise.all([
    open('jobs: handed over', { retire, 'dl-reconcile': { schedule: often, command } }),
    open('jobs: killed'),
  ]);
  plays = { calm, killed };
}, 180_000);
/** The team's own program in place of a job, which leaves a mark of what it is. */
const program = () => join(shelf.directory, 'reconcile');
const marks = () => join(shelf.directory, 'marks');
async function writeProgram(mark: string): Promise<void> {
  await writeFile(program(), `#!/bin/sh\necho ${mark} >> '${marks()}'\necho '{"scanned": 0}'\n`);
  await chmod(program(), 0o755);
}
const retired = () => join(shelf.directory, 'retired');
afterAll(async () => {
  await theatre.close();
  await shelf.close();
});

/** Production at 022 within a run whose next phase is the last one of 022; jobs that come often. */
async function open(name: string, jobs: Record<string, unknown> = {}): Promise<Play> {
  const play = await theatre.open({
    runbook: await shelf.write(await handOver022()),
    jobs: { 'matview-refresh': { schedule: often }, ...jobs },
  });
  await play.preflight();
  await play.phase(1);
  await play.text(/Run 1: phase apply .* is done/);
  onEnd.push(() => keepChannel(play, name));
  return play;
}
const onEnd: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const end of onEnd) await end();
});

describe('the last phase, and what comes after it', () => {
  let play: Play;
  beforeAll(() => {
    play = plays.calm;
  });

  it('nothing runs before its gate is passed, which shows what will', async () => {
    await jobsShown(play, /Off: not switched on yet/);
    await play.say('alice', '/m10 next');
    const asked = words(await gate(play, 2));
    expect(asked).toContain(`DATABASE_URL=<production>`);
    expect(asked).toContain(`matview-refresh: ${often} (UTC)`);
    expect(asked).toMatch(/older than 90 days/);
    expect(await runsOf(play)).toEqual([]);
    expect(await readFile(retired(), 'utf8').catch(() => '')).toBe('');
  });

  it('retires the timers, runs each job once with its result shown, and switches the schedules on', async () => {
    await approve(play, 2);
    await play.message('run:1:closed', (m) => /Verified/.test(m.text), 90_000);
    expect(await readFile(retired(), 'utf8')).toBe(`${play.trial.databases.production}\n`);
    const byHand = (await runsOf(play)).filter((run) => run.trigger === 'runbook');
    expect(byHand.map((run) => [run.job, run.outcome])).toEqual(jobNames.map((job) => [job, 'passed']));
    const finished = await eventsOf(play, 'StepFinished');
    for (const job of jobNames) {
      const result = finished.find((e) => e.step === `jobs.run-${job}`);
      expect(result, job).toMatchObject({ result: 'passed', summary: expect.stringContaining(`${job}: `) });
    }
    expect(finished.at(-1)?.summary).toMatch(/ran by its schedule/);
    expect(await jobEvents(play, 'JobsResumed')).toMatchObject([{ jobs: jobNames, by: USERS.alice, run: 1 }]);
    expect(await jobsShown(play, /Next run: /)).not.toMatch(/Off: /);
  });

  it('an event of the application is delivered: to a service, and to the channel', async () => {
    const taken: string[] = [];
    const server = createServer((request, response) => {
      taken.push(`${request.method} ${request.url}`);
      response.end();
    });
    const port = await new Promise<number>((done) => {
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        done(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    try {
      await play.query(
        'production',
        `SELECT m10_recovery.publish_outbox('order', '1', 'http:ship', '{"url": "http://127.0.0.1:${port}/ship"}'),
           m10_recovery.publish_outbox('order', '2', 'notify:ops', '{"text": "Order 2 is on its way"}')`,
      );
      await play.message('notice:production:', (m) => /Order 2 is on its way/.test(m.text));
      await until('the service was asked', async () => taken.length > 0);
      expect(taken).toEqual(['POST /ship']);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('operators run, pause and resume by command, and everyone sees it; others are refused', async () => {
    await play.say('carol', '/m10 jobs run reclaim-gc --dry-run');
    const ran = await play.message('jobs:production:run:1', (m) => /dry run passed/.test(m.text));
    expect(ran.text).toMatch(/nothing was changed/);
    await play.say('carol', '/m10 jobs pause matview-refresh I look into it');
    await play.text(/paused .*matview-refresh/);
    await jobsShown(play, /Paused by @carol .*: I look into it/);
    await play.say('dave', '/m10 jobs resume matview-refresh');
    await told(play, 'dave', /operators/);
    await play.say('carol', '/m10 jobs resume matview-refresh');
    await approve(play, 1, 2);
    await until('it runs again', async () => (await jobEvents(play, 'JobsResumed')).length === 2);
    expect(await jobsShown(play, /Approved by @bob in run 2/)).not.toMatch(/Paused/);
    await play.message('run:2:closed');
  });

  it('one operator alone deletes nothing: a clean-up whose schedule is off waits for a second person', async () => {
    await play.query(
      'production',
      `INSERT INTO m10_recovery.replay_log (original_msg_id, dl_msg_id, replayed_at)
       SELECT 'old-' || i, 'x', now() - interval '90 days' FROM generate_series(1, 500) AS i`,
    );
    const old = async () =>
      (
        await play.query(
          'production',
          `SELECT count(*)::int AS rows FROM m10_recovery.replay_log WHERE original_msg_id LIKE 'old-%'`,
        )
      )[0]?.rows;
    await play.say('carol', '/m10 jobs pause retention-cleanup');
    await play.say('carol', '/m10 jobs run retention-cleanup');
    const asked = await gate(play, 1, 3);
    expect(words(asked)).toMatch(/replay log entries older than 30 days/);
    await play.react('carol', asked);
    await play.message('run:3:rejected', (m) => /you asked for it/.test(m.text));
    expect(await old()).toBe(500);
    expect((await runsOf(play, 'retention-cleanup')).map(({ trigger }) => trigger)).toEqual(['runbook']);
    await approve(play, 1, 3);
    await play.message('run:3:closed');
    expect(await old()).toBe(0);
  });

  it('a guest runs no job, although an operator by the list', async () => {
    const before = (await runsOf(play, 'reclaim-gc')).filter(({ trigger }) => trigger === 'hand').length;
    await play.trial.people.setUser({ user: USERS.carol, isRestricted: true });
    try {
      await play.say('carol', '/m10 jobs run reclaim-gc');
      await told(play, 'carol', /you are a guest/);
    } finally {
      await play.trial.people.setUser({ user: USERS.carol, isRestricted: false });
    }
    // Back among the members, the same words do it, for the schedule is approved.
    await play.say('carol', '/m10 jobs run reclaim-gc');
    await play.message('jobs:production:run:2', (m) => /passed/.test(m.text));
    const byHand = (await runsOf(play, 'reclaim-gc')).filter(({ trigger }) => trigger === 'hand');
    expect(byHand).toHaveLength(before + 1);
  });

  it('a program that is changed after the approval is not run once, and the channel is told once', async () => {
    const said = async () => (await readFile(marks(), 'utf8')).split('\n').filter((mark) => mark !== '');
    const before = (await said()).length;
    await until('it runs by its schedule', async () => (await said()).length > before);
    await writeProgram('changed');
    await until('it is switched off', async () => (await jobEvents(play, 'ScheduleVoided')).length > 0);
    const message = await play.text(/`dl-reconcile` is not what was approved any more/);
    expect(words(message)).toMatch(/program file: .*reconcile/);
    expect(words(message)).toMatch(/\/m10 jobs resume dl-reconcile/);
    // One operator alone does not get it run either.
    await play.say('carol', '/m10 jobs run dl-reconcile');
    const asked = await gate(play, 1, 4);
    await play.react('bob', asked, 'x');
    await play.message('run:4:closed');
    expect(await said()).not.toContain('changed');
    expect(await aboutJobs(play, /not what was approved/)).toHaveLength(1);
    expect(await jobsShown(play, /Off: what it does has changed since it was approved/)).toMatch(
      /dl-reconcile/,
    );
  });

  it('a job that fails tells the channel at 1 and at 3, and once when it works again', async () => {
    const failures = async () =>
      (await runsOf(play, 'matview-refresh')).filter((run) => run.outcome === 'failed').length;
    const repair = await dropIndex(play);
    await until('four runs failed', async () => (await failures()) >= 4);
    await play.query('production', repair);
    // A machine that is busy may have a job of every second told to be late as well.
    const told = async (type: string) =>
      (await jobEvents(play, type)).filter((event) => Object(event).alarm === 'failing');
    await until('it was told to be well', async () => (await told('JobAlarmCleared')).length > 0);
    expect(await told('JobAlarmRaised')).toMatchObject([
      { job: 'matview-refresh', failures: 1 },
      { job: 'matview-refresh', failures: 3 },
    ]);
    expect(await told('JobAlarmCleared')).toMatchObject([{ job: 'matview-refresh' }]);
    await until('the channel was told', async () => (await aboutJobs(play, /^✅/)).length > 0);
    const alarms = await aboutJobs(play, /^🔴 matview-refresh/);
    expect(alarms).toHaveLength(2);
    expect(alarms.map(words).join(), 'what can be done now').toMatch(/CREATE UNIQUE INDEX/);
  });

  it('a rollback pauses them first, and leaves them off', async () => {
    await play.say('alice', '/m10 rollback the shop is slow since');
    await approve(play, 1, 5);
    await play.message('run:5:closed', (m) => /Rolled back/.test(m.text), 90_000);
    const steps = (await eventsOf(play, 'StepFinished', 5)).map((e) => String(e.step));
    expect(steps[0]).toBe('rollback.pause-jobs');
    expect(await play.revision('production')).toBe(revisions.before);
    const [late] = await play.query(
      'state',
      `SELECT count(*)::int AS runs FROM m10bot.job_runs, m10bot.events
       WHERE stream = 'run:5' AND type = 'StepFinished' AND data ->> 'step' = 'rollback.pause-jobs'
         AND started_at > events.at`,
    );
    expect(late?.runs, 'runs after the pause').toBe(0);
    const shown = await jobsShown(play, /Paused by @alice .*in run 5: 022 is taken back/);
    expect(shown).not.toMatch(/Next run: /);
  });
});

describe('a bot that is killed while a job runs', () => {
  /** The refresh goes on until its session is ended: a death is in the middle of it for sure. */
  const slowly = `DO $do$ BEGIN EXECUTE (
      SELECT regexp_replace(pg_get_functiondef('m10_recovery.refresh_mv_tracked'::regproc),
        'BEGIN', 'BEGIN PERFORM pg_sleep(600);') ); END $do$`;
  const backends = `SELECT pid FROM pg_stat_activity WHERE datname = current_database()
    AND wait_event = 'PgSleep' AND query LIKE '%refresh_mv_tracked%'`;

  let play: Play;
  let quick: string;
  beforeAll(async () => {
    play = plays.killed;
    const [made] = await play.query(
      'production',
      `SELECT pg_get_functiondef('m10_recovery.refresh_mv_tracked'::regproc) AS text`,
    );
    quick = String(made?.text);
  });

  const inTheMiddle = () =>
    until('the refresh is at work', async () => (await play.query('production', backends)).length > 0);

  /** What the passing of the lock's five minutes would do, once the dead one's statement has ended too. */
  async function timeGoesBy(): Promise<void> {
    await play.query('production', quick);
    await play.query('production', `SELECT pg_terminate_backend(pid) FROM (${backends}) AS asleep`);
    await play.query(
      'state',
      `UPDATE m10bot.job_runs SET started_at = started_at - interval '5 minutes' WHERE outcome = 'running'`,
    );
    await play.query(
      'production',
      `UPDATE m10_recovery.distributed_locks SET expires_at = now() WHERE lock_name = 'm10:matview:mv_top_pending'`,
    );
  }

  it('stands at a step that failed, of which people were asked what to do', async () => {
    const repair = await dropIndex(play);
    await play.phase(2);
    const asked = await prompt(play, 'jobs.run-matview-refresh');
    expect(words(asked)).toMatch(/CREATE UNIQUE INDEX/);
    expect(words(asked)).toMatch(/The schedules are switched on by a later step/);
    expect(buttons(asked)).toEqual(['run_retry', 'run_skip', 'run_rollback', 'run_stop']);
    expect(await jobEvents(play, 'JobsResumed')).toEqual([]);
    await play.query('production', repair);
    await play.press('alice', asked, 'run_retry');
    await gate(play, 3);
  });

  it('in the phase that hands over: the next one waits for the lock of the dead, then runs the job again', async () => {
    await play.query('production', slowly);
    await approve(play, 3);
    await inTheMiddle();
    const epoch = async () =>
      (await play.query('state', `SELECT epoch FROM m10bot.leases WHERE name = 'run:1'`))[0]?.epoch;
    const before = await epoch();
    await play.trial.bot().end('SIGKILL');
    await play.trial.startBot();
    await until('the next one has the run', async () => (await epoch()) !== before);
    // It does not take for dead what may still be at work.
    expect(await runsOf(play, 'matview-refresh')).toMatchObject([
      { trigger: 'runbook', outcome: 'failed' },
      { trigger: 'runbook', outcome: 'running' },
    ]);
    await timeGoesBy();
    await happened(play, 'StepFinished', { step: 'jobs.run-matview-refresh', result: 'passed' });
    await play.message('run:1:closed', (m) => /Verified/.test(m.text), 90_000);
    const runs = (await runsOf(play, 'matview-refresh')).filter((run) => run.trigger === 'runbook');
    expect(runs.map((run) => run.outcome)).toEqual(['failed', 'lost', 'passed']);
    expect(await eventsOf(play, 'GateSpent')).toHaveLength(3);
  });

  it('by its schedule: a replica beside it goes on with the other jobs at once, and with this one after the lock', async () => {
    const first = play.trial.bot();
    await play.query('production', slowly);
    await inTheMiddle();
    const replica = await play.trial.startReplica();
    const [dead] = (await runsOf(play, 'matview-refresh')).slice(-1);
    expect(dead).toMatchObject({ trigger: 'schedule', outcome: 'running' });
    await first.end('SIGKILL');
    const passed = async (job: string) =>
      (await runsOf(play, job)).filter((run) => run.outcome === 'passed' && run.owner !== dead?.owner).length;
    await until('the outbox is looked at by the other', async () => (await passed('outbox-processor')) >= 2);
    const before = await passed('matview-refresh');
    await timeGoesBy();
    await until('the view is refreshed by the other', async () => (await passed('matview-refresh')) > before);
    const [ended] = (await runsOf(play, 'matview-refresh'))
      .filter((run) => run.owner === dead?.owner)
      .slice(-1);
    expect(ended?.outcome).toBe('lost');
    // No moment of a schedule was run twice.
    const twice = await play.query(
      'state',
      `SELECT job, tick FROM m10bot.job_runs WHERE tick IS NOT NULL AND outcome = 'passed'
       GROUP BY job, tick HAVING count(*) > 1`,
    );
    expect(twice).toEqual([]);
    await replica.end('SIGTERM');
  });
});
