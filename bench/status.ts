import { join } from 'node:path';
import { freePort } from '../src/store/freePort.js';
import { CHANNELS, USERS } from '../workspace/slack/people.js';
import { median, table } from './table.js';
import { type Load, load, startBare, type World } from './world.js';

const plan = [
  { concurrency: 1, count: 600 },
  { concurrency: 10, count: 2_500 },
  { concurrency: 100, count: 5_000 },
];

/** `/m10 status` over signed HTTP beside a bare Bolt app that inserts one row, in turn. */
export async function benchStatus(world: World, rounds: number): Promise<string> {
  const trial = await world.trial({ mode: 'http' });
  const bare = await startBare(world, await freePort(), join(await world.folder(), 'bare.log'));
  try {
    await trial.startBot();
    await trial.people.say({ user: USERS.alice, channel: CHANNELS.incident, text: '/m10 preflight' });
    await trial.people.waitFor(CHANNELS.incident, (m) => /\/m10 next/.test(m.text), 60_000);
    const bot = { url: trial.requestUrl ?? '', secret: trial.slack.signingSecret };
    // Warm both: the first requests compile and connect.
    for (const to of [bot, bare]) await load(world, to, 20, 1_000);
    const rows: string[][] = [];
    for (const { concurrency, count } of plan) {
      const both: { bot: Load; bare: Load }[] = [];
      for (let round = 0; round < rounds; round += 1) {
        both.push({
          bot: await load(world, bot, concurrency, count),
          bare: await load(world, bare, concurrency, count),
        });
      }
      const of = (pick: (pair: { bot: Load; bare: Load }) => number, digits = 0) =>
        median(both.map(pick)).toFixed(digits);
      rows.push([
        String(concurrency),
        of((r) => r.bot.perSecond),
        of((r) => r.bare.perSecond),
        of((r) => r.bot.perSecond / r.bare.perSecond, 2),
        of((r) => r.bot.p50, 1),
        of((r) => r.bare.p50, 1),
        of((r) => r.bot.p99, 1),
        of((r) => r.bare.p99, 1),
      ]);
    }
    return table(
      [
        'at once',
        'bot req/s',
        'bare req/s',
        'ratio',
        'bot p50 ms',
        'bare p50 ms',
        'bot p99 ms',
        'bare p99 ms',
      ],
      rows,
    );
  } finally {
    await bare.process.end('SIGKILL');
    await trial.stop();
  }
}
