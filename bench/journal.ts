import { join } from 'node:path';
import pg from 'pg';
import { publisherCursors } from '../src/bot/publish/reader.js';
import { createCursors } from '../src/store/cursors.js';
import { createJournal } from '../src/store/journal.js';
import { CHANNELS, USERS } from '../workspace/slack/people.js';
import type { Trial } from '../workspace/trial/trial.js';
import { median, table } from './table.js';
import { load, type World } from './world.js';

/** `status` and a step, with few and with very many journal events of other runs, in turn. */
export async function benchJournal(world: World, rounds: number, sizes: readonly number[]): Promise<string> {
  const trials: { size: number; trial: Trial; status: number[]; step: number[] }[] = [];
  try {
    for (const size of sizes) {
      const runbook = join(world.root, 'bench', 'steps.yml');
      const trial = await world.trial({ mode: 'http', runbook });
      trials.push({ size, trial, status: [], step: [] });
      // The bot makes its tables; then the events of other runs come in, and it starts again.
      await (await trial.startBot()).end('SIGTERM');
      await fill(trial.databases.state, size);
      await trial.startBot();
    }
    for (let round = 0; round < rounds; round += 1) {
      // What one bot still has to post while the other is measured must not always hit the same one.
      const order = round % 2 === 0 ? trials : trials.toReversed();
      for (const { trial, status, step } of order) {
        step.push(await stepMs(trial));
        const to = { url: trial.requestUrl ?? '', secret: trial.slack.signingSecret };
        await load(world, to, 1, 50);
        status.push((await load(world, to, 1, 500)).p50);
      }
    }
    const rows = trials.map(({ size, status, step }) => [
      size.toLocaleString('en'),
      median(status).toFixed(2),
      median(step).toFixed(2),
    ]);
    const [first, last] = [trials[0], trials.at(-1)];
    if (first !== undefined && last !== undefined) {
      rows.push([
        'ratio',
        (median(last.status) / median(first.status)).toFixed(2),
        (median(last.step) / median(first.step)).toFixed(2),
      ]);
    }
    return table(['events of other runs', 'status p50 ms', 'a step, ms'], rows);
  } finally {
    for (const { trial } of trials) await trial.stop();
  }
}

/** Events of runs that are over, through the journal itself, so that the hash chain holds. */
async function fill(url: string, size: number): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  try {
    const journal = createJournal(pool);
    const perRun = 250;
    const perAppend = 4;
    for (let run = 0; run * perRun < size; run += perAppend) {
      const writes = Array.from({ length: perAppend }, (_, i) => ({
        stream: `run:${1_000_000 + run + i}`,
        expectedVersion: 0,
        events: Array.from({ length: perRun }, (_each, n) => ({
          type: 'CommandRefused',
          data: { v: 1, by: USERS.alice, command: 'next', code: 'no_run', why: `other ${n}`, instead: '' },
        })),
      }));
      await journal.append(writes);
    }
    // Runs that are over have been told to Slack long ago.
    const { position } = await journal.head();
    const cursors = createCursors(pool);
    for (const name of Object.values(publisherCursors)) {
      await cursors.advance(name, await cursors.get(name), position);
    }
    await pool.query('VACUUM ANALYZE');
    await pool.query('CHECKPOINT');
  } finally {
    await pool.end();
  }
}

/** The time of one step of the twenty, by the journal's own clock. */
async function stepMs(trial: Trial): Promise<number> {
  const { people } = trial;
  const said = await people.say({ user: USERS.alice, channel: CHANNELS.incident, text: '/m10 preflight' });
  if (!said.ok) throw new Error(`preflight: ${said.error ?? ''}`);
  const client = new pg.Client({ connectionString: trial.databases.state });
  await client.connect();
  try {
    for (let tries = 0; tries < 600; tries += 1) {
      const { rows } = await client.query<{ ms: number | null }>(
        `SELECT extract(epoch FROM max(at) FILTER (WHERE type = 'StepFinished') - min(at) FILTER (WHERE type = 'StepStarted')) * 1000 / 20 AS ms
           FROM m10bot.events
          WHERE stream = (SELECT stream FROM m10bot.events WHERE type = 'RunOpened' ORDER BY position DESC LIMIT 1)
         HAVING bool_or(type = 'RunClosed')`,
      );
      const ms = rows[0]?.ms;
      if (ms !== undefined && ms !== null) return Number(ms);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('the run of twenty steps did not end');
  } finally {
    await client.end();
  }
}
