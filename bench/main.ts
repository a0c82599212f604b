import { parseArgs } from 'node:util';
import { benchHttp } from './jobs/http.js';
import { benchIdle } from './jobs/idle.js';
import { benchLatency } from './jobs/latency.js';
import { benchLocks } from './jobs/locks.js';
import { benchOutbox } from './jobs/outbox.js';
import { benchReconcile } from './jobs/reconcile.js';
import { benchJournal } from './journal.js';
import { benchRun } from './run.js';
import { benchStart } from './start.js';
import { benchStatus } from './status.js';
import { machine } from './table.js';
import { createWorld, type World } from './world.js';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, only: { type: 'string' }, help: { type: 'boolean' } },
});
const rounds = Number(values.rounds);
const benches = {
  run: { title: 'The 022 run beside a plain bash script', play: benchRun },
  status: {
    title: '`/m10 status` over signed HTTP beside a bare Bolt app that inserts one row',
    play: benchStatus,
  },
  start: { title: 'Start and memory beside a bare Bolt + pg + ioredis + pino app', play: benchStart },
  journal: {
    title: 'With few and with very many journal events of other runs',
    play: (world: World, n: number) => benchJournal(world, n, [1_000, 1_000_000]),
  },
  outbox: {
    title: 'Draining the outbox',
    play: (world: World, n: number) =>
      benchOutbox(world, n, { events: 20_000, batches: [100, 500], long: 300_000, peers: true }),
  },
  http: {
    title: 'Delivering by HTTP',
    play: (world: World, n: number) =>
      benchHttp(world, n, {
        receivers: [
          { delayMs: 0, events: 20_000 },
          { delayMs: 20, events: 4_000 },
        ],
        concurrencies: [10, 32],
      }),
  },
  latency: {
    title: 'From publish to claim',
    play: (world: World, n: number) =>
      benchLatency(world, n, { events: 300, everyMs: 200, schedule: '*/30 * * * * *' }),
  },
  locks: {
    title: "The jobs' locks",
    play: (world: World, n: number) => benchLocks(world, n, { pairs: 2_000, ttls: [2, 5, 10] }),
  },
  reconcile: {
    title: "dl-reconcile beside the sample backend's own script",
    play: (world: World, n: number) => benchReconcile(world, n, { messages: 10_000 }),
  },
  idle: {
    title: 'Jobs with nothing to do',
    play: (world: World, n: number) => benchIdle(world, n, { minutes: 5 }),
  },
} as const;

if (values.help === true) {
  process.stdout.write(
    `npm run bench [-- --only ${Object.keys(benches).join('|')}] [-- --rounds N]\nPrints Markdown tables; never fails for a figure.\n`,
  );
} else {
  const world = await createWorld();
  try {
    process.stdout.write(
      `${new Date().toISOString().slice(0, 10)}, ${machine()}, medians of ${rounds} rounds\n`,
    );
    for (const [name, bench] of Object.entries(benches)) {
      if (values.only !== undefined && values.only !== name) continue;
      process.stdout.write(`\n### ${bench.title}\n\n${await bench.play(world, rounds)}\n`);
    }
  } finally {
    await world.stop();
  }
}
