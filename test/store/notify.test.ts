import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJournal, type Journal } from '../../src/store/journal.js';
import { createListener } from '../../src/store/notify.js';
import { until } from './poll.js';
import { stateDatabase } from './state.js';

let database: Awaited<ReturnType<typeof stateDatabase>>;
let journal: Journal;
beforeAll(async () => {
  database = await stateDatabase();
  journal = createJournal(database.pool);
});
afterAll(() => database.drop());

const NEVER = 3_600_000;
let streams = 0;

async function append(): Promise<number> {
  streams += 1;
  const [event] = await journal.append([
    { stream: `run:${streams}`, expectedVersion: 0, events: [{ type: 'A', data: {} }] },
  ]);
  return event?.position ?? Number.NaN;
}

function listen(pollMs: number) {
  const positions: number[] = [];
  const errors: Error[] = [];
  const listener = createListener({
    url: database.url,
    pollMs,
    onPosition: (position) => positions.push(position),
    onError: (error) => errors.push(error),
  });
  return { listener, positions, errors };
}

async function listeners(): Promise<number[]> {
  const { rows } = await database.pool.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity
      WHERE application_name = 'm10bot-listener' AND datname = current_database() AND state = 'idle'`,
  );
  return rows.map((row) => row.pid);
}

describe('a listener', () => {
  it('tells the position at the start and after an append', async () => {
    const start = await append();
    const { listener, positions, errors } = listen(NEVER);
    await until('the start is told', () => positions.includes(start));
    const next = await append();
    await until('the append is told', () => positions.includes(next));
    await listener.close();
    expect(errors).toEqual([]);
    expect(await listeners()).toEqual([]);
  });

  it('comes back after its connection was ended, and tells what it missed', async () => {
    const { listener, positions, errors } = listen(NEVER);
    await until('it listens', () => positions.length > 0);
    for (let round = 1; round <= 2; round += 1) {
      await until('its connection is idle', async () => (await listeners()).length === 1);
      const [pid] = await listeners();
      const { rows } = await database.pool.query('SELECT pg_terminate_backend($1, 10000) AS ended', [pid]);
      expect(rows).toEqual([{ ended: true }]);
      const missed = await append();
      await until('the missed append is told', () => positions.includes(missed));
      await until('the loss was reported', () => errors.length >= round);
    }
    await listener.close();
  });

  it('finds appends by polling where no notification arrives', async () => {
    const { listener, positions } = listen(50);
    await until('it listens', () => positions.length > 0);
    await database.pool.query('UPDATE m10bot.journal_head SET position = position + 1000');
    const { position } = await journal.head();
    await until('the position is told', () => positions.includes(position));
    await listener.close();
    await database.pool.query('UPDATE m10bot.journal_head SET position = position - 1000');
  });

  it('keeps trying while there is no database, and can be closed meanwhile', async () => {
    const errors: Error[] = [];
    const listener = createListener({
      url: 'postgres://nobody@127.0.0.1:1/none',
      onPosition: () => expect.unreachable(),
      onError: (error) => errors.push(error),
    });
    await until('it has tried twice', () => errors.length >= 2);
    await listener.close();
  });
});
