import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../src/store/freePort.js';
import { median, spread, table } from './table.js';
import { startBare, type World } from './world.js';

/** Start to ready, and resident memory at ready, beside a bare Bolt + pg + ioredis + pino app, in turn. */
export async function benchStart(world: World, rounds: number): Promise<string> {
  const trial = await world.trial({ mode: 'http' });
  try {
    // The first start makes the bot's tables.
    await (await trial.startBot()).end('SIGTERM');
    const bot = { seconds: [] as number[], megabytes: [] as number[] };
    const bare = { seconds: [] as number[], megabytes: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      const before = performance.now();
      const running = await trial.startBot();
      bot.seconds.push((performance.now() - before) / 1000);
      bot.megabytes.push(await residentMegabytes(running.pid));
      await running.end('SIGTERM');

      const port = await freePort();
      const log = join(await world.folder(), 'bare.log');
      const start = performance.now();
      const other = await startBare(world, port, log);
      bare.seconds.push((performance.now() - start) / 1000);
      bare.megabytes.push(await residentMegabytes(other.process.pid));
      await other.process.end('SIGKILL');
    }
    const ratio = (a: number[], b: number[]) => (median(a) / median(b)).toFixed(2);
    return table(
      ['', 'bot', 'bare', 'ratio'],
      [
        [
          'start to ready, s',
          spread(bot.seconds, 2),
          spread(bare.seconds, 2),
          ratio(bot.seconds, bare.seconds),
        ],
        [
          'resident at ready, MB',
          spread(bot.megabytes, 0),
          spread(bare.megabytes, 0),
          ratio(bot.megabytes, bare.megabytes),
        ],
      ],
    );
  } finally {
    await trial.stop();
  }
}

async function residentMegabytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? Number.NaN) / 1024;
}
