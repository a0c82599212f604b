import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import { jobsPause } from '../../src/actions/jobs/pause.js';
import { jobsResume } from '../../src/actions/jobs/resume.js';
import { jobsRetire } from '../../src/actions/jobs/retire.js';
import { jobsRun } from '../../src/actions/jobs/run.js';
import type { StepDeps } from '../../src/checks/deps.js';
import { jobsScheduled } from '../../src/checks/jobs-scheduled.js';
import type { TargetConfig } from '../../src/config.js';
import { jobNames } from '../../src/runbook/jobs/names.js';
import type { StepContext, StepKind } from '../../src/runbook/step-kind.js';
import { type PlayedJobs, playedJobs, record } from '../checks/jobs-port.js';
import { bind, contextOf, createWorld, probe, run, type World } from '../checks/world.js';

let world: World;
let jobs: PlayedJobs;
let deps: StepDeps;
let target: TargetConfig;
let context: StepContext<TargetConfig>;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());

/** Nothing of these tests asks the target's database: the port does, and here it is played. */
function configure(section: Record<string, unknown> = {}) {
  jobs = playedJobs(section);
  deps = world.deps({ jobs });
  target = world.target({ databaseUrl: 'postgresql://u@127.0.0.1:1/none' });
  context = contextOf(target);
}
beforeEach(() => configure());

const all = { jobs: 'all' };
const held = (ours: boolean) => ({ holder: 'host:9', expiresAt: Date.now() + 90_000, ours });
const survey = (kind: StepKind<TargetConfig>, args: unknown) => bind(kind, args).survey?.(context);

describe('every step about jobs', () => {
  const steps: [string, (deps: StepDeps) => StepKind<TargetConfig>, unknown][] = [
    ['jobs.pause', jobsPause, all],
    ['jobs.resume', jobsResume, all],
    ['jobs.run', jobsRun, { job: 'reclaim-gc' }],
    ['jobs.retire', jobsRetire, {}],
    ['jobs.scheduled', jobsScheduled, { jobs: 'all', state: 'on' }],
  ];

  test.each(steps)(
    '%s has nothing to do where no jobs are configured, and says so at the gate',
    async (_, kind, args) => {
      const none = kind(world.deps());
      const outcome = await run(none, args, context);
      expect(outcome.result).toBe('passed');
      expect(outcome.summary).toMatch(/^No jobs are configured in m10\.yml: nothing to /);
      expect(await survey(none, args)).toMatchObject({ kind: 'surveyed', warnings: [outcome.summary] });
    },
  );

  test.each(steps)(
    '%s refuses another target than that of the jobs, and says what to correct',
    async (_, kind, args) => {
      const staging = contextOf({ ...target, name: 'staging' });
      const outcome = await run(kind(deps), args, staging);
      expect(outcome).toMatchObject({ result: 'failed' });
      expect(outcome.summary).toMatch(/run against production.*on staging.*correct/);
      expect(jobs.asked).toEqual([]);
    },
  );
});

describe('a changed configuration changes what was approved', () => {
  const parts = async (kind: (deps: StepDeps) => StepKind<TargetConfig>, args: unknown, section = {}) => {
    configure(section);
    const surveyed = await survey(kind(deps), args);
    return surveyed?.kind === 'surveyed' ? surveyed.parts : {};
  };

  it('by a schedule, a setting or a program', async () => {
    const before = await parts(jobsResume, all);
    const changed = async (section: Record<string, unknown>) => {
      const after = await parts(jobsResume, all, section);
      return Object.keys(after).filter((name) => after[name] !== before[name]);
    };
    expect(await changed({})).toEqual([]);
    expect(await changed({ 'reclaim-gc': { schedule: '5 * * * *' } })).toEqual(['reclaim-gc: schedule']);
    expect(await changed({ 'retention-cleanup': { outbox: '1d' } })).toEqual(['retention-cleanup: outbox']);
    expect(await changed({ 'dl-reconcile': { command: { argv: ['true'] } } })).toEqual([
      'dl-reconcile: program',
      'dl-reconcile: expect',
      'dl-reconcile: env settings',
    ]);
  });

  it('by the programs that retire the timers', async () => {
    expect(await parts(jobsRetire, {}, { retire: [['true']] })).not.toEqual(await parts(jobsRetire, {}));
  });

  it('and shows no secret', async () => {
    const secret = 'a-key-that-nobody-sees';
    const shown = await parts(jobsResume, all, { 'outbox-processor': { http: { secret } } });
    expect(JSON.stringify(shown)).not.toContain(secret);
  });
});

describe('jobs.pause', () => {
  it('switches off what is on, with its reason, and leaves the reason of what was off', async () => {
    jobs.set('dl-reconcile', { paused: null });
    const outcome = await run(jobsPause(deps), { jobs: 'all', reason: 'the way back' }, context);
    expect(outcome).toMatchObject({ result: 'passed' });
    expect(outcome.summary).toMatch(/all 5 jobs are off, and no run is under way/);
    expect(jobs.asked).toEqual([
      {
        what: 'pause',
        given: { jobs: ['dl-reconcile'], by: 'UALICE', reason: 'the way back', run: 7 },
      },
    ]);
    expect(outcome.output).toMatch(/dl-reconcile .*the way back/);
    expect(outcome.output).toMatch(/reclaim-gc .*not switched on yet/);
  });

  it('waits for the run that is under way', async () => {
    jobs.set('outbox-processor', { paused: null, leader: held(true) });
    let waited = false;
    setTimeout(() => {
      waited = true;
      jobs.set('outbox-processor', { leader: null });
    }, 600);
    expect((await run(jobsPause(deps), all, context)).result).toBe('passed');
    expect(waited).toBe(true);
  });

  it('fails when a lock is not given back in its time, and says whose it is', async () => {
    jobs.set('outbox-processor', { leader: held(true) });
    const stopped = { ...context, signal: AbortSignal.timeout(300) };
    const outcome = await run(jobsPause(deps), all, stopped);
    expect(outcome).toMatchObject({ result: 'failed' });
    expect(outcome.summary).toMatch(/outbox-processor may still be at work/);
    expect(outcome.output).toMatch(/held by host:9/);
  });

  it('asks again when the run that is under way takes longer than the jobs wait for it', async () => {
    jobs.set('outbox-processor', { paused: null });
    const { pause } = jobs.port;
    let asked = 0;
    const slow = {
      ...jobs.port,
      async pause(change: Parameters<typeof pause>[0]) {
        await pause(change);
        asked += 1;
        if (asked === 1) throw new Error('outbox-processor did not end within 60 s.');
      },
    };
    const kind = jobsPause(world.deps({ jobs: { ...jobs, port: slow } }));
    expect((await run(kind, all, context)).result).toBe('passed');
    expect(asked).toBe(2);
    asked = 0;
    jobs.set('outbox-processor', { paused: null });
    const stopped = await run(kind, all, { ...context, signal: AbortSignal.abort() });
    expect(stopped).toMatchObject({ result: 'failed', summary: 'outbox-processor did not end within 60 s.' });
  });

  it('pauses a run by hand too, and waits for a program of the team that takes the lock itself', async () => {
    configure({ 'reclaim-gc': { command: { argv: ['true'] }, timeout: '1s' } });
    const startedAt = Date.now();
    jobs.set('reclaim-gc', {
      command: 'true',
      last: record({ job: 'reclaim-gc', outcome: 'running', startedAt }),
    });
    expect((await run(jobsPause(deps), all, context)).result).toBe('passed');
    expect(jobs.asked).toMatchObject([{ what: 'pause', given: { jobs: ['reclaim-gc'] } }]);
    // Nobody noted its end, so its time had to be over.
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(1_000);
  });

  it('warns of a worker of somebody else, which it cannot pause', async () => {
    jobs.set('reclaim-gc', { leader: held(false) });
    const outcome = await run(jobsPause(deps), all, context);
    expect(outcome).toMatchObject({ result: 'passed' });
    expect(outcome.summary).toMatch(/Beware: a worker that is not this bot has the lock of reclaim-gc/);
  });

  it('does not know whether a run has ended when the target cannot be asked', async () => {
    jobs.set('reclaim-gc', { waitsFor: null, last: record({ job: 'reclaim-gc', outcome: 'running' }) });
    const stopped = { ...context, signal: AbortSignal.timeout(300) };
    expect((await run(jobsPause(deps), all, stopped)).result).toBe('unknown');
  });

  it('after a crash: done when all is off and still, otherwise paused and waited for again', async () => {
    expect(await probe(jobsPause(deps), all, context)).toMatchObject({ kind: 'done' });
    jobs.set('reclaim-gc', { leader: held(true) });
    expect(await probe(jobsPause(deps), all, context)).toMatchObject({ kind: 'not_done' });
    jobs.set('reclaim-gc', { leader: null, paused: null });
    expect(await probe(jobsPause(deps), all, context)).toEqual({
      kind: 'not_done',
      evidence: 'reclaim-gc still on',
    });
  });
});

describe('jobs.resume', () => {
  const approval = { run: 7, gate: 1, approvers: ['UBOB'] };

  it('keeps with each schedule who approved exactly what', async () => {
    await run(jobsResume(deps), { jobs: ['reclaim-gc'] }, context);
    expect(jobs.asked).toMatchObject([
      {
        given: {
          approval,
          parts: { 'reclaim-gc': { schedule: '0 * * * * (UTC)', program: 'm10bot itself' } },
        },
      },
    ]);
    const seen = await jobs.port.overview();
    expect(seen.find(({ job }) => job === 'reclaim-gc')?.cover).toMatchObject({ approval });
  });

  it('switches nothing on without an approval, nor when what the jobs do is not what was approved', async () => {
    const bare = await run(jobsResume(deps), all, { ...context, approval: null });
    expect(bare).toMatchObject({ result: 'failed', summary: expect.stringMatching(/no approval covers it/) });
    const drift = () => ['reclaim-gc: program: ./a when approved, ./b now'];
    const other = await run(jobsResume(deps), all, { ...context, drift });
    expect(other).toMatchObject({ result: 'failed', output: drift()[0] });
    jobs.port.covers = async () => ({ kind: 'failed', why: 'no right to read ./a' });
    const unread = await run(jobsResume(deps), all, context);
    expect(unread).toMatchObject({ result: 'failed', summary: expect.stringMatching(/no right to read/) });
    expect(jobs.asked).toEqual([]);
  });

  it('approves anew what is on without an approval', async () => {
    jobs.set('reclaim-gc', { paused: null, cover: null });
    expect(await probe(jobsResume(deps), { jobs: ['reclaim-gc'] }, context)).toMatchObject({
      kind: 'not_done',
    });
    await run(jobsResume(deps), { jobs: ['reclaim-gc'] }, context);
    expect(jobs.asked).toMatchObject([{ given: { jobs: ['reclaim-gc'], approval } }]);
  });

  it('switches on what is off, and shows why it had been', async () => {
    jobs.set('dl-reconcile', { paused: { by: 'UCAROL', reason: 'it was slow', at: 1, run: null } });
    expect(await run(jobsResume(deps), { jobs: ['reclaim-gc'] }, context)).toMatchObject({
      result: 'passed',
    });
    jobs.asked.length = 0;
    const outcome = await run(jobsResume(deps), all, context);
    expect(outcome).toMatchObject({ result: 'passed', summary: 'the schedules of all 5 jobs are on' });
    expect(outcome.output).toMatch(/dl-reconcile had been switched off: it was slow/);
    expect(jobs.asked).toMatchObject([
      { what: 'resume', given: { jobs: jobNames.filter((j) => j !== 'reclaim-gc'), by: 'UALICE', approval } },
    ]);
    expect(await run(jobsResume(deps), all, context)).toMatchObject({ result: 'passed' });
    expect(jobs.asked).toHaveLength(1);
  });

  it('after a crash: what is on is on', async () => {
    const args = { jobs: ['reclaim-gc'] };
    expect(await probe(jobsResume(deps), args, context)).toMatchObject({ kind: 'not_done' });
    await run(jobsResume(deps), args, context);
    expect(await probe(jobsResume(deps), args, context)).toMatchObject({ kind: 'done' });
    expect(await probe(jobsResume(deps), all, context)).toMatchObject({ kind: 'not_done' });
  });

  it('shows at the gate when each job would run', () => {
    expect(bind(jobsResume(deps), all).describe(context).commands).toContain(
      'dl-reconcile: */10 * * * * (UTC)',
    );
  });
});

describe('jobs.run', () => {
  const gc = { job: 'reclaim-gc' };

  it('shows the figures of a run that passed', async () => {
    jobs.report = {
      ...jobs.report,
      summary: 'Removed 3 counters.',
      counts: { removed: 3 },
      output: 'a line',
    };
    const outcome = await run(jobsRun(deps), gc, context);
    expect(outcome).toEqual({
      result: 'passed',
      summary: 'reclaim-gc: Removed 3 counters.',
      output: 'removed  3\n\na line',
    });
    expect(jobs.asked).toEqual([
      { what: 'runOnce', given: { job: 'reclaim-gc', dryRun: false, by: 'UALICE', trigger: 'runbook' } },
    ]);
  });

  it.each([
    ['failed', /^reclaim-gc: Redis is away\. Start it\.$/],
    ['skipped', /^reclaim-gc was not run: Redis is away\. Start it\.$/],
    ['lost', /^reclaim-gc was ended in the middle: Redis is away\. Start it\.$/],
  ] as const)('a run that was %s fails the step, with what can be done', async (outcome, summary) => {
    jobs.report = { ...jobs.report, outcome, summary: 'Redis is away.', advice: 'Start it.' };
    const ended = await run(jobsRun(deps), gc, context);
    expect(ended.result).toBe('failed');
    expect(ended.summary).toMatch(summary);
  });

  it('says what is deleted, or shows the program of the team', () => {
    const words = bind(jobsRun(deps), { job: 'retention-cleanup' }).describe(context).words;
    expect(words).toMatch(/older than 90 days.*older than 30 days.*older than 7 days/);
    configure({
      'dl-reconcile': {
        command: { argv: ['python3', '-m', 'scripts.ops.reconcile_dl', '--json'] },
        'dry-run': ['--dry-run'],
      },
    });
    expect(bind(jobsRun(deps), { job: 'dl-reconcile' }).describe(context).commands).toEqual([
      'python3 -m scripts.ops.reconcile_dl --json',
    ]);
    const dry = bind(jobsRun(deps), { job: 'dl-reconcile', 'dry-run': true }).describe(context);
    expect(dry.commands).toEqual(['python3 -m scripts.ops.reconcile_dl --json --dry-run']);
  });

  describe('after a crash', () => {
    const look = () => probe(jobsRun(deps), gc, context);
    const note = (given: Partial<Parameters<typeof record>[0]>) =>
      jobs.records.unshift(record({ job: 'reclaim-gc', startedAt: context.startedAt + 1, ...given }));

    it('no run of this attempt: not done', async () => {
      note({ startedAt: context.startedAt - 1 });
      note({ trigger: 'schedule' });
      note({ dryRun: true });
      expect(await look()).toMatchObject({ kind: 'not_done' });
    });

    it('an end that was recorded: done, well or badly', async () => {
      note({ summary: 'Removed 3 counters.' });
      expect(await look()).toMatchObject({ kind: 'done', outcome: { result: 'passed' } });
      note({ outcome: 'failed', summary: 'Redis is away.' });
      expect(await look()).toMatchObject({ kind: 'done', outcome: { result: 'failed' } });
    });

    it('no end, and the lock is held by a replica: running', async () => {
      note({ outcome: 'running', finishedAt: null });
      jobs.set('reclaim-gc', { leader: held(true) });
      expect(await look()).toMatchObject({ kind: 'running' });
    });

    it.each(['running', 'lost'] as const)(
      '%s, and the lock is free or another worker has it: not done',
      async (outcome) => {
        note({ outcome });
        expect(await look()).toMatchObject({ kind: 'not_done' });
        jobs.set('reclaim-gc', { leader: held(false) });
        expect(await look()).toMatchObject({ kind: 'not_done' });
      },
    );

    it('no end, and the target does not say who has the lock: unknown', async () => {
      note({ outcome: 'running' });
      jobs.set('reclaim-gc', { waitsFor: null });
      expect(await look()).toMatchObject({ kind: 'unknown' });
    });
  });
});

describe('jobs.retire', () => {
  const sh = (script: string) => ['/bin/sh', '-c', script];

  it('passes with a word and a warning when no program is listed', async () => {
    expect(await run(jobsRetire(deps), {}, context)).toMatchObject({
      result: 'passed',
      summary: expect.stringMatching(/nothing to retire/),
    });
    expect(await survey(jobsRetire(deps), {})).toMatchObject({
      warnings: [expect.stringMatching(/go on beside/)],
    });
  });

  it('shows the programs as they will run, and runs them in order with the environment of the target', async () => {
    configure({ retire: [sh('echo "first $DATABASE_URL in $PWD $NOT_GIVEN"'), sh('echo second')] });
    expect(bind(jobsRetire(deps), {}).describe(context).commands).toEqual([
      `cd ${target.directory}`,
      `DATABASE_URL=<production> /bin/sh -c 'echo "first $DATABASE_URL in $PWD $NOT_GIVEN"'`,
      "DATABASE_URL=<production> /bin/sh -c 'echo second'",
    ]);
    const outcome = await run(jobsRetire(deps), {}, context);
    expect(outcome.result).toBe('passed');
    expect(outcome.output).toMatch(
      new RegExp(`first ${target.databaseUrl} in ${target.directory} *\\n[\\s\\S]*\\nsecond`),
    );
    expect(await probe(jobsRetire(deps), {}, context)).toEqual({ kind: 'done', outcome });
  });

  it('stops at the first that fails, and names it', async () => {
    configure({ retire: [sh('exit 0'), sh('echo unit not found >&2; exit 5'), sh('echo third')] });
    const outcome = await run(jobsRetire(deps), {}, context);
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toMatch(
      /unit not found.*ended with 5, expected 0; 1 program after it was not run$/,
    );
    expect(outcome.output).not.toMatch(/^third$/m);
    expect(await probe(jobsRetire(deps), {}, context)).toEqual({ kind: 'done', outcome });
  });

  it('after a crash: not begun is not done, half-way is unknown', async () => {
    configure({ retire: [sh('exit 0'), sh('exit 0')] });
    expect(await probe(jobsRetire(deps), {}, context)).toMatchObject({ kind: 'not_done' });
    await deps.processes.run({
      id: `${context.childId}/program-1`,
      argv: ['/bin/sh', '-c', 'exit 0'],
      cwd: target.directory,
      env: {},
      timeoutMs: 10_000,
      signal: context.signal,
    });
    const found = await probe(jobsRetire(deps), {}, context);
    expect(found).toMatchObject({ kind: 'unknown', evidence: expect.stringMatching(/was never started$/) });
  });
});
