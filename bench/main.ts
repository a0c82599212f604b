import { parseArgs } from 'node:util';
import { benchJournal } from './journal.js';
import { benchRun } from './run.js';
import { benchStart } from './start.js';
import { benchStatus } from './status.js';
import { machine } from './table.js';
import { createWorld } from './world.js';

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
    play: (world: Parameters<typeof benchJournal>[0], n: number) =>
      benchJournal(world, n, [1_000, 1_000_000]),
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
