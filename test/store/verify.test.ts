import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createJournal, type Journal } from '../../src/store/journal.js';
import type { Head } from '../../src/store/verify.js';
import { stateDatabase } from './state.js';

let database: Awaited<ReturnType<typeof stateDatabase>>;
let journal: Journal;
let noted: Head;
beforeEach(async () => {
  database = await stateDatabase();
  journal = createJournal(database.pool);
  for (let version = 0; version < 5; version += 1) {
    await journal.append([
      { stream: 'run:1', expectedVersion: version, events: [{ type: 'A', data: { n: 1 } }] },
    ]);
  }
  noted = await journal.head();
});
afterEach(() => database.drop());

/** What somebody with the database's superuser could do. */
async function tamper(statement: string): Promise<void> {
  await database.pool.query(`ALTER TABLE m10bot.events DISABLE TRIGGER ALL;
    ALTER TABLE m10bot.journal_head DISABLE TRIGGER ALL; ${statement}`);
}

describe('verify', () => {
  it('accepts the journal as it was written, also in part and after more appends', async () => {
    await journal.append([{ stream: 'run:2', expectedVersion: 0, events: [{ type: 'B', data: {} }] }]);
    const head = await journal.head();
    expect(await journal.verify({ expectedHead: [noted, head] })).toEqual({ ok: true, head, checked: 6 });
    expect(await journal.verify({ from: 4, expectedHead: [noted] })).toEqual({ ok: true, head, checked: 3 });
    expect(await journal.verify({ from: 7 })).toEqual({ ok: true, head, checked: 0 });
  });

  it('accepts an empty journal', async () => {
    const empty = await stateDatabase();
    expect(await createJournal(empty.pool).verify()).toMatchObject({ ok: true, checked: 0 });
    await empty.drop();
  });

  it('reads on past one batch', async () => {
    const events = Array.from({ length: 1_100 }, () => ({ type: 'A', data: {} }));
    await journal.append([{ stream: 'run:long', expectedVersion: 0, events }]);
    expect(await journal.verify()).toMatchObject({ ok: true, checked: 1_105 });
    await tamper("UPDATE m10bot.events SET actor = 'U9' WHERE position = 1003");
    expect(await journal.verify()).toMatchObject({ ok: false, broken: 1003 });
  });

  it.each([
    ['data', `data = '{"n": 2}'`],
    ['a number past the range', `data = '{"n": 1e400}'`],
    ['type', "type = 'B'"],
    ['actor', "actor = 'U1'"],
    ['time', "at = at + interval '1 ms'"],
    ['an endless time', "at = 'infinity'"],
    ['stream', "stream = 'run:9'"],
    ['version', 'version = 9'],
    ['hash', "hash = repeat('a', 64)"],
  ])('finds a changed %s', async (_what, change) => {
    await tamper(`UPDATE m10bot.events SET ${change} WHERE position = 3`);
    expect(await journal.verify()).toMatchObject({ ok: false, broken: 3 });
  });

  it('finds a missing event in the middle', async () => {
    await tamper('DELETE FROM m10bot.events WHERE position = 2');
    expect(await journal.verify()).toMatchObject({ ok: false, broken: 2 });
  });

  it('finds a cut tail by the head row', async () => {
    await tamper('DELETE FROM m10bot.events WHERE position > 3');
    const verdict = await journal.verify();
    expect(verdict).toMatchObject({ ok: false, broken: 4 });
    expect(verdict).toHaveProperty('reason', expect.stringContaining('tail is cut'));
  });

  it('finds a cut tail with a head row to match, by a head noted outside', async () => {
    await tamper(`DELETE FROM m10bot.events WHERE position > 3;
      UPDATE m10bot.journal_head SET (position, hash) = (SELECT position, hash FROM m10bot.events WHERE position = 3)`);
    expect(await journal.verify()).toMatchObject({ ok: true });
    const verdict = await journal.verify({ expectedHead: [noted] });
    expect(verdict).toMatchObject({ ok: false, broken: 4 });
    expect(verdict).toHaveProperty('reason', expect.stringContaining('tail is cut'));
  });

  it('finds a tail that was cut and written anew, by a head noted outside', async () => {
    await tamper(`DELETE FROM m10bot.events WHERE position > 3;
      UPDATE m10bot.journal_head SET (position, hash) = (SELECT position, hash FROM m10bot.events WHERE position = 3)`);
    const events = [
      { type: 'A', data: {} },
      { type: 'A', data: {} },
      { type: 'A', data: {} },
    ];
    await journal.append([{ stream: 'run:1', expectedVersion: 3, events }]);
    expect(await journal.verify()).toMatchObject({ ok: true });
    expect(await journal.verify({ expectedHead: [noted] })).toMatchObject({ ok: false, broken: 5 });
  });

  it('finds an event past the head, a changed head and a missing head', async () => {
    await tamper(`INSERT INTO m10bot.events (position, stream, version, type, data, at, hash)
      VALUES (6, 'run:1', 6, 'A', '{}', now(), repeat('0', 64))`);
    expect(await journal.verify()).toMatchObject({ ok: false, broken: 6 });
    await tamper("DELETE FROM m10bot.events WHERE position = 6; UPDATE m10bot.journal_head SET hash = 'x'");
    expect(await journal.verify()).toMatchObject({ ok: false, broken: 5 });
    await tamper('DELETE FROM m10bot.journal_head');
    expect(await journal.verify()).toMatchObject({ ok: false });
  });

  it('finds that the event before its start is gone', async () => {
    await tamper('DELETE FROM m10bot.events WHERE position = 2');
    expect(await journal.verify({ from: 3 })).toMatchObject({ ok: false, broken: 2 });
  });
});
