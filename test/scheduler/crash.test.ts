import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { requestRun, resumeJobs } from '../../src/runbook/jobs/decide.js';
import { until } from '../store/poll.js';
import { compiled } from '../support/compiled.js';
import { approvalOf, asApproved, jobThat, usePlace } from './place.js';

const place = usePlace();
const job = 'reclaim-gc' as const;
const asker = { by: 'UALICE', operator: true, via: 'command' } as const;
const ttlSeconds = 4;
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A replica in a process of its own, whose job never ends. Resolves once the job runs. */
async function otherProcess(schedule: string): Promise<ChildProcess> {
  const dist = await compiled();
  const file = join(place.world.directory, `replica-${children.length}-${Date.now()}.mjs`);
  const from = (path: string) => JSON.stringify(pathToFileURL(join(dist, 'src', path)).href);
  await writeFile(
    file,
    `import { JobsFile, jobsConfig } from ${from('config-jobs.js')};
     import { createExecutor } from ${from('scheduler/execute.js')};
     import { createLeader } from ${from('scheduler/leader.js')};
     import { noObserver } from ${from('scheduler/observe.js')};
     import { createScheduler } from ${from('scheduler/scheduler.js')};
     import { createJobRuns } from ${from('store/job-runs.js')};
     import { createJobsJournal } from ${from('store/jobs.js')};
     import { createJournal } from ${from('store/journal.js')};
     import { createLeases } from ${from('store/leases.js')};
     import { createPool } from ${from('store/pool.js')};
     const { target, state, schedule, ttlSeconds } = ${JSON.stringify({
       target: place.target,
       state: place.state.url,
       schedule,
       ttlSeconds,
     })};
     const log = { info() {}, warn() {}, error() {} };
     const pool = createPool({ url: state, max: 5, applicationName: 'replica', onError() {} });
     const owner = 'other:' + process.pid + ':x';
     const runs = createJobRuns(pool, target.name);
     const leader = createLeader({ holder: 'm10bot:' + owner, connect: (name) => executor.connect(name), log });
     const executor = createExecutor({ target, runs, leader, owner, redact: (t) => t, observer: noObserver, log, now: Date.now });
     const job = {
       name: 'reclaim-gc', lock: 'm10:reclaim_gc', ttlSeconds, needs: { tables: {}, calls: {}, privileges: {} },
       run() { process.stdout.write('running\\n'); return new Promise(() => {}); },
     };
     createScheduler({
       config: jobsConfig(JobsFile.parse({ target: target.name, 'reclaim-gc': { schedule } })), jobs: [job],
       journal: createJobsJournal({ journal: createJournal(pool), target: target.name, now: Date.now }),
       runs, leases: createLeases(pool), executor, owner, log, now: Date.now,
       covers: async () => ({ kind: 'read', parts: ${JSON.stringify(asApproved)} }),
       pace: { pollMs: 200, requestLeaseMs: 2_000 },
     }).start();`,
  );
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the replica ended with ${code}`)));
  });
  child.removeAllListeners('exit');
  return child;
}

const locks = () => place.sql('select holder_id, expires_at from m10_recovery.distributed_locks');

test('a replica that is killed in the middle of a run: another takes over once the lock has expired', async () => {
  await place.journal.execute((state) => resumeJobs(state, approvalOf([job])));
  const child = await otherProcess('* * * * * *');
  let began = 0;
  const here = jobThat(
    async () => {
      began ||= Date.now();
      return { summary: 'Took over.' };
    },
    { ttlSeconds },
  );
  const replica = place.replica({ jobs: [here], config: { 'reclaim-gc': { schedule: '* * * * * *' } } });
  replica.scheduler.start();
  await until('it has stood aside', async () =>
    (await place.runs.log(job, 20)).some((r) => r.outcome === 'skipped'),
  );
  child.kill('SIGKILL');
  const [lock] = await locks();
  await until('it took over', () => began > 0);
  // Not before the lock was free: its time at the kill is the latest that the heartbeat gave it.
  expect(began).toBeGreaterThanOrEqual(Number(lock?.expires_at) - 50);
  await until('it has passed', async () =>
    (await place.runs.log(job, 50)).some((run) => run.outcome === 'passed' && run.owner === replica.owner),
  );
});

test('a schedule that comes seldom does not wait for its next moment: the broken run is made up for', async () => {
  await place.journal.execute((state) => resumeJobs(state, approvalOf([job])));
  const start = { job, trigger: 'schedule', by: null, dryRun: false, owner: 'dead' } as const;
  const hour = Math.floor(Date.now() / 3_600_000) * 3_600_000;
  const row = await place.runs.begin({ ...start, tick: hour });
  await place.state.pool.query(
    `update m10bot.job_runs set started_at = now() - interval '10 min' where id = $1`,
    [row],
  );
  await place.sql(`select m10_recovery.acquire_lock('m10:reclaim_gc', 'm10bot:dead', 2)`);
  const hourly = { 'reclaim-gc': { schedule: '0 * * * *' } };
  const replicas = [1, 2].map(() =>
    place.replica({
      jobs: [jobThat(async () => {}, { ttlSeconds })],
      config: hourly,
      pace: { watchMs: 300 },
    }),
  );
  for (const replica of replicas) replica.scheduler.start();
  await until('it is made up for', async () => (await place.runs.log(job, 5))[0]?.outcome === 'passed');
  for (const replica of replicas) await replica.scheduler.stop();
  expect(await place.runs.log(job, 5)).toMatchObject([
    { outcome: 'passed', trigger: 'made-up', tick: null },
    { outcome: 'lost', owner: 'dead' },
  ]);
});

test('a run by hand of a replica that was killed is run by another', async () => {
  await place.journal.execute((state) => requestRun(state, { ...asker, job, dryRun: true }));
  const child = await otherProcess('0 0 1 1 *');
  child.kill('SIGKILL');
  const here = jobThat(async () => ({ summary: 'Took over.' }), { ttlSeconds });
  const replica = place.replica({ jobs: [here], pace: { pollMs: 200, requestLeaseMs: 2_000 } });
  replica.scheduler.start();
  await until('it has ended', async () => (await place.journal.load()).state.requests.length === 0);
  expect((await place.runs.log(job, 1))[0]).toMatchObject({
    outcome: 'passed',
    summary: 'Took over.',
    by: 'UALICE',
  });
});
