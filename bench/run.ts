import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { squawkProgram } from '../src/clients/squawk.js';
import { CHANNELS, USERS } from '../workspace/slack/people.js';
import { median, spread, table } from './table.js';
import type { World } from './world.js';

/** The 022 run with approvals given at once, beside the same steps as a plain bash script, in turn. */
export async function benchRun(world: World, rounds: number): Promise<string> {
  const bot: number[] = [];
  const script: number[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const botFirst = round % 2 === 0;
    const times = { bot: 0, script: 0 };
    for (const who of botFirst ? (['bot', 'script'] as const) : (['script', 'bot'] as const)) {
      times[who] = who === 'bot' ? await runOfBot(world) : await runOfScript(world);
    }
    bot.push(times.bot);
    script.push(times.script);
    ratios.push(times.bot / times.script);
  }
  return table(
    ['', 'bot', 'bash', 'ratio'],
    [['the 022 run, s', spread(bot, 2), spread(script, 2), median(ratios).toFixed(3)]],
  );
}

/**
 * The time from the command to the closed run. The people of this run look into the bot's own tables for what
 * to answer: reading the whole channel after each change would take a processor from what is measured.
 */
async function runOfBot(world: World): Promise<number> {
  const trial = await world.trial({ mode: 'socket' });
  const client = new pg.Client({ connectionString: trial.databases.state });
  try {
    await trial.startBot();
    await client.connect();
    const seen = async (sql: string): Promise<string> => {
      for (const deadline = Date.now() + 120_000; Date.now() < deadline; ) {
        const { rows } = await client.query<{ found: string }>(sql);
        if (rows[0] !== undefined) return rows[0].found;
        await sleep(10);
      }
      throw new Error(`the run did not come to: ${sql}`);
    };
    const event = (type: string, nth: number) =>
      seen(
        `SELECT type AS found FROM m10bot.events WHERE stream = 'run:1' AND type = '${type}' ORDER BY version OFFSET ${nth - 1} LIMIT 1`,
      );
    const say = (text: string) => trial.people.say({ user: USERS.alice, channel: CHANNELS.incident, text });
    const started = performance.now();
    await say('/m10 preflight');
    for (const gate of [1, 2, 3]) {
      await event('BlockFinished', gate);
      await say('/m10 next');
      const ts = await seen(`SELECT ts AS found FROM m10bot.posted WHERE key = 'run:1:gate:${gate}'`);
      const emoji = 'white_check_mark';
      await trial.people.react({ user: USERS.bob, channel: CHANNELS.incident, ts, emoji });
    }
    await event('RunClosed', 1);
    return (performance.now() - started) / 1000;
  } finally {
    await client.end();
    await trial.stop();
  }
}

async function runOfScript(world: World): Promise<number> {
  const trial = await world.trial({ mode: 'socket' });
  try {
    const folder = join(trial.directory, 'by-hand');
    await mkdir(folder);
    const squawk = squawkProgram();
    if (squawk === null) throw new Error('squawk is not installed');
    const started = performance.now();
    await promisify(execFile)('bash', [join(world.root, 'bench', '022.sh')], {
      env: {
        PATH: world.tools.value,
        STAGING: trial.databases.staging,
        PRODUCTION: trial.databases.production,
        STAGING_REDIS: trial.redis.staging,
        PRODUCTION_REDIS: trial.redis.production,
        BACKEND: trial.backend,
        BACKUPS: folder,
        METRICS: trial.metricsUrl,
        SQUAWK: squawk[0],
      },
      maxBuffer: 2 ** 26,
    });
    return (performance.now() - started) / 1000;
  } finally {
    await trial.stop();
  }
}
