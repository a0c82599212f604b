import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createProcesses, type Processes } from '../../src/clients/process.js';
import { prune } from '../../src/main/prune.js';
import { createLeases, pruneLeases } from '../../src/store/leases.js';
import { stateDatabase } from '../store/state.js';

const day = 24 * 3_600_000;
const now = Date.now();
const keeping = {
  runs: { ageMs: 30 * day, count: 3 },
  others: { ageMs: 7 * day, count: 5 },
  youngMs: 3_600_000,
};

let directory = '';
let processes: Processes;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'm10-prune-'));
  processes = createProcesses({ directory: join(directory, 'children') });
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A file, and the folders that it needs, as old as this. */
function put(path: string, ageMs: number): void {
  const file = join(directory, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'x');
  const at = (now - ageMs) / 1_000;
  for (let here = file; here !== directory; here = dirname(here)) utimesSync(here, at, at);
}
const there = (path: string) => existsSync(join(directory, path));
const clean = (open: number[] = []) =>
  prune({ directory, processes, openRuns: async () => open, now: () => now, keeping });

test('an open run keeps everything, however old; a closed one goes whole', async () => {
  for (const run of [1, 2]) {
    put(`children/run-${run}/phase.apply/upgrade/1-0a1b2c3d4e5f6071/stdout`, 400 * day);
    put(`children/run-${run}/phase.apply/upgrade/1-0a1b2c3d4e5f6071/exit.json.part`, 400 * day);
    put(`work/run-${run}/phase.check/tests/1/report.xml`, 400 * day);
    put(`output/run-${run}_phase.apply_upgrade_1-0a1b2c3d4e5f6071.txt`, 400 * day);
    writeFileSync(
      join(directory, `children/run-${run}/phase.apply/upgrade/1-0a1b2c3d4e5f6071/exit.json`),
      JSON.stringify({
        kind: 'exited',
        exitCode: 0,
        signal: null,
        endedAt: new Date().toISOString(),
        durationMs: 1,
      }),
    );
    const at = (now - 400 * day) / 1_000;
    utimesSync(
      join(directory, `children/run-${run}/phase.apply/upgrade/1-0a1b2c3d4e5f6071/exit.json`),
      at,
      at,
    );
    utimesSync(join(directory, `children/run-${run}/phase.apply/upgrade/1-0a1b2c3d4e5f6071`), at, at);
  }
  await clean([1]);
  expect([
    there('children/run-1/phase.apply/upgrade/1-0a1b2c3d4e5f6071/stdout'),
    there('work/run-1'),
    there('output'),
  ]).toEqual([true, true, true]);
  expect(readdirSync(join(directory, 'output'))).toEqual([
    'run-1_phase.apply_upgrade_1-0a1b2c3d4e5f6071.txt',
  ]);
  expect([there('children/run-2'), there('work/run-2')]).toEqual([false, false]);
});

test('runs and others beyond the number go, oldest first, and nothing that is young', async () => {
  for (let run = 1; run <= 6; run += 1) put(`work/run-${run}/a/b/1/x`, (10 - run) * day);
  for (let i = 0; i < 9; i += 1) put(`children/jobs/production/reclaim-gc/${i}/stdin`, (i + 2) * 3_600_000);
  for (let i = 0; i < 20; i += 1) put(`children/jobs/production/reclaim-gc/young-${i}/stdin`, 1_000);
  await clean();
  expect(readdirSync(join(directory, 'work')).sort()).toEqual(['run-4', 'run-5', 'run-6']);
  const left = readdirSync(join(directory, 'children/jobs/production/reclaim-gc'));
  expect(left.filter((name) => !name.startsWith('young'))).toEqual([]);
  expect(left).toHaveLength(20);
});

test('what still runs stays, with what it works on', async () => {
  const running = processes.run({
    id: 'jobs/production/reclaim-gc/1',
    argv: ['sleep', '600'],
    cwd: directory,
    env: { PATH: process.env.PATH ?? '' },
    timeoutMs: 600_000,
  });
  const folder = join(directory, 'children/jobs/production/reclaim-gc/1');
  while (processes.look('jobs/production/reclaim-gc/1').kind !== 'running')
    await new Promise((resolve) => setTimeout(resolve, 10));
  try {
    put('work/jobs/production/reclaim-gc/1/half.csv', 100 * day);
    put('work/jobs/production/reclaim-gc/2/old.csv', 100 * day);
    for (const name of [...readdirSync(folder).map((each) => join(folder, each)), folder])
      utimesSync(name, (now - 100 * day) / 1_000, (now - 100 * day) / 1_000);
    await clean();
    expect(statSync(folder).isDirectory()).toBe(true);
    expect(there('work/jobs/production/reclaim-gc/1/half.csv')).toBe(true);
    expect(there('work/jobs/production/reclaim-gc/2')).toBe(false);
  } finally {
    await processes.stop('jobs/production/reclaim-gc/1', 0);
    await running;
  }
});

test('what was started on another machine is old before it goes', async () => {
  const record = {
    pid: 1,
    startTicks: 1,
    argv: ['x'],
    startedAt: new Date().toISOString(),
    host: 'another',
    bootId: 'b',
  };
  for (let i = 0; i < 8; i += 1) {
    const path = `children/jobs/production/reclaim-gc/${i}`;
    put(`${path}/stdout`, (i + 0.5) * day);
    writeFileSync(join(directory, path, 'child.json'), JSON.stringify(record));
    for (const each of ['child.json', ''])
      utimesSync(join(directory, path, each), 1, (now - (i + 0.5) * day) / 1_000);
  }
  await clean();
  // More than the number that is kept, and not older than seven days.
  const left = readdirSync(join(directory, 'children/jobs/production/reclaim-gc')).sort();
  expect(left).toEqual(['0', '1', '2', '3', '4', '5', '6']);
});

test('folders that hold nothing go as well, and nothing goes when the open runs cannot be read', async () => {
  put('children/readings/old/x', 100 * day);
  const failing = prune({
    directory,
    processes,
    openRuns: () => Promise.reject(new Error('the database is away')),
    now: () => now,
    keeping,
  });
  await expect(failing).rejects.toThrow('away');
  expect(there('children/readings/old/x')).toBe(true);
  await clean();
  expect(there('children/readings/old')).toBe(false);
});

test('leases of what is over are forgotten, those of open runs and of the bot itself are not', async () => {
  const state = await stateDatabase();
  try {
    const leases = createLeases(state.pool);
    for (const name of ['run:1', 'run:2', 'run:3', 'publisher', 'jobs:production:request:9'])
      await leases.acquire(name, 'somebody', 600_000);
    await state.pool.query(
      `UPDATE m10bot.leases SET expires_at = now() - interval '40 days' WHERE name <> 'run:3'`,
    );
    expect(await pruneLeases(state.pool, ['run:%', 'jobs:%:request:%'], ['run:1'], 30 * day)).toBe(2);
    const { rows } = await state.pool.query('SELECT name FROM m10bot.leases ORDER BY name');
    expect(rows.map((row) => row.name)).toEqual(['publisher', 'run:1', 'run:3']);
  } finally {
    await state.drop();
  }
});
