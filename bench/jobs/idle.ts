import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Trial } from '../../workspace/trial/trial.js';
import { table } from '../table.js';
import type { World } from '../world.js';
import { startBotWithJobs } from './bot.js';
import { withClient } from './target.js';

export interface IdleSize {
  readonly minutes: number;
}

/** A tick of the kernel's clock in /proc, ms: USER_HZ is 100 wherever Node runs on Linux. */
const CLOCK_TICK_MS = 10;

/**
 * What a bot costs whose jobs are switched on and have nothing to do, beside a bot without jobs in the same
 * minutes. Queries are counted in the server's own log of statements, which misses none.
 */
export async function benchIdle(world: World, _rounds: number, size: IdleSize): Promise<string> {
  const { adminUrl } = world.services.postgres;
  const log = join(world.services.directory, 'postgres.log');
  const trials: { readonly name: string; readonly trial: Trial; readonly pid: number }[] = [];
  try {
    trials.push({ name: 'jobs switched on', ...(await startBotWithJobs(world, {}, 'all')) });
    const without = await world.trial();
    trials.push({ name: 'no jobs', trial: without, pid: (await without.startBot()).pid });
    await logStatements(adminUrl, true);
    // What starting and switching on costs comes once.
    await sleep(Math.min(15_000, size.minutes * 60_000));
    const from = (await stat(log)).size;
    const before = await Promise.all(trials.map(({ pid }) => cpuMs(pid)));
    const started = performance.now();
    await sleep(size.minutes * 60_000);
    const minutes = (performance.now() - started) / 60_000;
    const after = await Promise.all(trials.map(({ pid }) => cpuMs(pid)));
    const counted = count(await since(log, from));
    const perMinute = (value: number, digits: number) => (value / minutes).toFixed(digits);
    const rows = trials.map(({ name, trial }, n) => {
      const queries = (url: string) => counted.get(new URL(url).pathname.slice(1)) ?? 0;
      return [
        name,
        perMinute((after[n] ?? Number.NaN) - (before[n] ?? Number.NaN), 0),
        perMinute(queries(trial.databases.production), 1),
        perMinute(queries(trial.databases.state), 1),
      ];
    });
    const head = [
      '',
      'CPU, ms a minute',
      "target's database, queries a minute",
      'own database, queries a minute',
    ];
    return table(head, rows);
  } finally {
    await logStatements(adminUrl, false);
    for (const { trial } of trials) await trial.stop();
  }
}

async function logStatements(adminUrl: string, on: boolean): Promise<void> {
  await withClient(adminUrl, async (client) => {
    await client.query(on ? "ALTER SYSTEM SET log_statement = 'all'" : 'ALTER SYSTEM RESET log_statement');
    await client.query(
      on ? "ALTER SYSTEM SET log_line_prefix = '%m [%p] %d '" : 'ALTER SYSTEM RESET log_line_prefix',
    );
    await client.query('SELECT pg_reload_conf()');
  });
}

/** User and system time of a process so far, ms. */
async function cpuMs(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name of the program stands in brackets and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MS;
}

async function since(file: string, from: number): Promise<string> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const buffer = Buffer.alloc(size - from);
    await handle.read(buffer, 0, buffer.length, from);
    return buffer.toString('utf8');
  } finally {
    await handle.close();
  }
}

/** Statements by database. */
export function count(log: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [, database = ''] of log.matchAll(
    /^\S+ \S+ \S+ \[\d+\] (\S+) LOG: {2}(?:statement|execute) /gm,
  )) {
    counts.set(database, (counts.get(database) ?? 0) + 1);
  }
  return counts;
}
