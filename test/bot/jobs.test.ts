import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BotApp } from '../../src/bot/app.js';
import { besideHold } from '../../src/runbook/beside.js';
import { resumeJobs } from '../../src/runbook/jobs/decide.js';
import { type JobName, jobNames } from '../../src/runbook/jobs/names.js';
import { createJobRuns } from '../../src/store/job-runs.js';
import { createJobsJournal, type JobsJournal, jobsStream } from '../../src/store/jobs.js';
import { approvalOf, asApproved } from '../scheduler/place.js';
import { overview, run } from './render/jobs-sample.js';
import { CHANNELS, createScene, type Scene, USERS } from './support.js';

let scene: Scene;
let bot: BotApp;
let journal: JobsJournal;
const target = 'production';

beforeAll(async () => {
  scene = await createScene('job commands');
  journal = createJobsJournal({ journal: scene.journal, target, now: Date.now });
  const runs = createJobRuns(scene.pool, target);
  const id = await runs.begin({ ...run(undefined), trigger: 'schedule' });
  await runs.finish(id ?? 0, {
    outcome: 'failed',
    summary: 'The view is gone',
    counts: {},
    output: 'ERROR: no such view',
    advice: '',
    durationMs: 5,
  });
  const jobs = {
    target,
    overview: async () => overview(),
    log: runs.log,
    about: () => ({ program: false, timeoutMs: 60_000 }),
    covers: async () => ({ kind: 'read' as const, parts: doesNow }),
  };
  bot = await scene.startBot('socket', {
    jobs: { jobs, jobsJournal: journal },
    targets: [target, besideHold(target)],
  });
});
afterAll(() => scene.close());

/** What each job does now. */
let doesNow: Record<string, string> = asApproved;
/** What the step does once a second person has approved it. */
const approved = (jobs: readonly JobName[]) =>
  journal.execute((state) => resumeJobs(state, approvalOf(jobs, USERS.alice)));
const told = () => scene.events(jobsStream(target));
const inChannel = (words: string) => scene.people.waitFor(CHANNELS.incident, (m) => m.text.includes(words));

describe('/m10 jobs', () => {
  it('shows each job to the channel, and the log of one', async () => {
    await scene.say(USERS.dave, '/m10 jobs');
    const shown = JSON.stringify((await inChannel('Jobs of production')).blocks);
    for (const job of jobNames) expect(shown).toContain(`*${job}*`);
    await scene.say(USERS.dave, '/m10 jobs log matview-refresh');
    const log = JSON.stringify((await inChannel('Log of matview-refresh')).blocks);
    expect(log).toContain('The view is gone');
    expect(log).toContain('ERROR: no such view');
    expect(await told()).toEqual([]);
  });

  it('lets operators ask for schedules to be switched on, which a second person approves', async () => {
    expect((await scene.ask(USERS.dave, '/m10 jobs resume all')).text).toContain('Only listed operators');
    const asked = await scene.ask(USERS.alice, '/m10 jobs resume all the backlog is gone');
    expect(asked.text).toMatch(/^Run 1: switching on .* is asked for/);
    expect((await scene.state(1)).runbook.operations).toMatchObject([
      {
        title: 'Switch on all schedules: the backlog is gone',
        on: target,
        beside: true,
        gate: { approvals: 1 },
        steps: [{ uses: 'jobs.resume', with: { jobs: 'all' } }],
      },
    ]);
    expect(await told()).toEqual([]);
    await scene.ask(USERS.alice, '/m10 close enough');
    await approved(jobNames);
    expect((await scene.ask(USERS.alice, '/m10 jobs resume reclaim-gc')).text).toContain(
      'switched on already',
    );
  });

  it('lets everyone in the channel switch them off, with a reason', async () => {
    const answer = await scene.ask(USERS.dave, '/m10 jobs pause reclaim-gc it &lt;is&gt; too loud');
    expect(answer.text).toContain('Paused: ');
    expect((await told()).at(-1)).toMatchObject({
      type: 'JobsPaused',
      jobs: ['reclaim-gc'],
      by: USERS.dave,
      reason: 'it <is> too loud',
    });
    expect((await scene.ask(USERS.dave, '/m10 jobs pause reclaim-gc')).text).toContain('paused already');
    expect((await scene.ask(USERS.dave, '/m10 jobs pause all')).text).toContain('Paused: ');
    const { state } = await journal.load();
    expect(state.paused['reclaim-gc']?.reason).toBe('it <is> too loud');
    expect(jobNames.every((job) => state.paused[job] !== null)).toBe(true);
  });

  it('lets operators ask for a dry run, one at a time, also of a job that is off', async () => {
    expect((await scene.ask(USERS.dave, '/m10 jobs run dl-reconcile')).text).toContain(
      'Only listed operators',
    );
    const answer = await scene.ask(USERS.alice, '/m10 jobs run dl-reconcile --dry-run');
    expect(answer.text).toContain('A dry run of');
    expect((await told()).at(-1)).toMatchObject({
      type: 'JobRunRequested',
      request: 1,
      job: 'dl-reconcile',
      by: USERS.alice,
      dryRun: true,
    });
    const again = await scene.ask(USERS.alice, '/m10 jobs run dl-reconcile --dry-run');
    expect(again.text).toContain('has not ended yet');
    expect(again.text).toContain(`<@${USERS.alice}>`);
  });

  it('lets no operator alone run what deletes, unless its schedule is on as it was approved', async () => {
    const before = (await told()).length;
    const asked = await scene.ask(USERS.alice, '/m10 jobs run retention-cleanup');
    expect(asked.text).toMatch(/^Run 2: one run of .*it deletes rows, and the schedule of .* is off\.$/);
    expect((await scene.state(2)).runbook.operations).toMatchObject([
      { steps: [{ uses: 'jobs.run', with: { job: 'retention-cleanup', 'dry-run': false } }] },
    ]);
    await scene.ask(USERS.alice, '/m10 close enough');
    await approved(['retention-cleanup']);
    doesNow = { program: 'another' };
    expect((await scene.ask(USERS.alice, '/m10 jobs run retention-cleanup')).text).toMatch(
      /not what was approved any more/,
    );
    await scene.ask(USERS.alice, '/m10 close enough');
    expect((await told()).slice(before).map(({ type }) => type)).toEqual(['JobsResumed']);
    doesNow = asApproved;
    expect((await scene.ask(USERS.alice, '/m10 jobs run retention-cleanup')).text).toMatch(/A run of/);
    expect((await told()).at(-1)).toMatchObject({ type: 'JobRunRequested', job: 'retention-cleanup' });
  });

  it('records each no for the channel', async () => {
    const refused = await scene.events(`desk:${CHANNELS.incident}`);
    expect(refused.map((e) => ('code' in e ? e.code : ''))).toEqual([
      'not_an_operator',
      'not_paused',
      'already_paused',
      'not_an_operator',
      'already_running',
    ]);
    expect(refused[1]).toMatchObject({ command: '/m10 jobs resume reclaim-gc' });
  });

  it('counts in the incident channel alone', async () => {
    const answer = await scene.ask(USERS.alice, '/m10 jobs pause all', CHANNELS.elsewhere);
    expect(answer.text).toContain(CHANNELS.incident);
  });

  it('says how jobs are set up where there are none', async () => {
    await bot.stop();
    await scene.startBot('socket');
    for (const words of ['/m10 jobs', '/m10 jobs pause all', '/m10 jobs log reclaim-gc']) {
      const answer = await scene.ask(USERS.alice, words);
      expect(answer.text).toContain('runs no jobs');
      expect(answer.text).toContain('m10.yml');
    }
  });
});
