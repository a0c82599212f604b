import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LeaseLost, VersionConflict } from '../../src/store/errors.js';
import { GENESIS } from '../../src/store/event.js';
import { createJournal, type Journal } from '../../src/store/journal.js';
import { createLeases } from '../../src/store/leases.js';
import { stateDatabase } from './state.js';

let database: Awaited<ReturnType<typeof stateDatabase>>;
let journal: Journal;
beforeAll(async () => {
  database = await stateDatabase();
  journal = createJournal(database.pool);
});
afterAll(() => database.drop());

const one = (type: string, data: unknown = {}) => [{ type, data }];

/** Events of the table, whatever their stream. */
async function count(): Promise<number> {
  const { rows } = await database.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM m10bot.events');
  return rows[0]?.n ?? -1;
}

describe('append', () => {
  it('stores events with versions, positions, actor and time, and answers what a read gives', async () => {
    const before = await journal.head();
    const appended = await journal.append([
      {
        stream: 'run:basic',
        expectedVersion: 0,
        events: [
          { type: 'RunOpened', data: { title: '022', at: new Date(0), left: undefined }, actor: 'U1' },
          { type: 'PhaseStarted', data: null },
        ],
      },
    ]);
    expect(appended.map(({ version, position, actor }) => ({ version, position, actor }))).toEqual([
      { version: 1, position: before.position + 1, actor: 'U1' },
      { version: 2, position: before.position + 2, actor: null },
    ]);
    expect(appended[0]?.data).toEqual({ title: '022', at: '1970-01-01T00:00:00.000Z' });
    expect(appended[0]?.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(await journal.read('run:basic')).toEqual(appended);
    expect(await journal.read('run:basic', 1)).toEqual(appended.slice(1));
    expect(await journal.readAll(before.position, 1)).toEqual(appended.slice(0, 1));
    expect(await journal.last('run:basic')).toEqual(appended[1]);
    expect(await journal.version('run:basic')).toBe(2);
    expect(await journal.head()).toEqual({ position: before.position + 2, hash: appended[1]?.hash });
  });

  it('answers with the keys in the very order in which every later reader gets them', async () => {
    const data = {
      replay: { already_replayed: 1, replay_id: 2, é: 3, zz: 4 },
      list: [{ bb: 1, a: 2 }],
      a: 0,
    };
    const appended = await journal.append([
      { stream: 'run:keys', expectedVersion: 0, events: one('Kept', data) },
    ]);
    const text = JSON.stringify((await journal.read('run:keys'))[0]?.data);
    expect(JSON.stringify(appended[0]?.data)).toBe(text);
    expect(text).not.toBe(JSON.stringify(data));
  });

  it('chains each event to the one before by SHA-256 over canonical JSON', async () => {
    const { hash: previous } = await journal.head();
    const [event] = await journal.append([
      { stream: 'run:chain', expectedVersion: 0, events: one('A', { z: 1, a: [] }) },
    ]);
    const { hash, ...rest } = event ?? expect.unreachable();
    const text = canonicalize({ ...rest, previous }) ?? '';
    expect(hash).toBe(createHash('sha256').update(text).digest('hex'));
  });

  it('answers nothing for a stream that does not exist', async () => {
    expect(await journal.read('run:none')).toEqual([]);
    expect(await journal.last('run:none')).toBeUndefined();
    expect(await journal.version('run:none')).toBe(0);
  });

  it.each([
    { expected: 0, actual: 1 },
    { expected: 2, actual: 1 },
  ])('refuses expected version $expected at version $actual', async ({ expected, actual }) => {
    const stream = `run:conflict-${expected}`;
    await journal.append([{ stream, expectedVersion: 0, events: one('A') }]);
    const append = journal.append([{ stream, expectedVersion: expected, events: one('B') }]);
    await expect(append).rejects.toThrow(VersionConflict);
    await expect(append).rejects.toMatchObject({ stream, expected, actual });
  });

  it('lets one of two racing appends win', async () => {
    const race = await Promise.allSettled(
      ['A', 'B'].map((type) =>
        journal.append([{ stream: 'run:race', expectedVersion: 0, events: one(type) }]),
      ),
    );
    expect(race.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await journal.read('run:race')).toHaveLength(1);
  });

  it('writes several streams or none, and leaves no gap behind a refusal', async () => {
    await journal.append([{ stream: 'target:a', expectedVersion: 0, events: one('Claimed') }]);
    const before = await journal.head();
    const both = [
      { stream: 'run:both', expectedVersion: 0, events: one('RunOpened') },
      { stream: 'target:a', expectedVersion: 0, events: one('Claimed') },
    ];
    await expect(journal.append(both)).rejects.toThrow(VersionConflict);
    expect(await journal.version('run:both')).toBe(0);
    expect(await journal.head()).toEqual(before);
    const [first] = await journal.append(both.slice(0, 1));
    expect(first?.position).toBe(before.position + 1);
  });

  it('asserts the version of a stream that it does not write', async () => {
    const write = (expectedVersion: number) =>
      journal.append([
        { stream: 'run:asserting', expectedVersion: 0, events: one('A') },
        { stream: 'run:asserted', expectedVersion, events: [] },
      ]);
    await expect(write(3)).rejects.toMatchObject({ stream: 'run:asserted', expected: 3, actual: 0 });
    expect(await write(0)).toHaveLength(1);
    expect(await journal.version('run:asserted')).toBe(0);
  });

  it('gives 50 concurrent appends positions without gaps', async () => {
    const { position } = await journal.head();
    const appended = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        journal.append([{ stream: `run:many-${n}`, expectedVersion: 0, events: [...one('A'), ...one('B')] }]),
      ),
    );
    const positions = appended.flat().map((event) => event.position);
    expect(positions.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => position + n + 1));
    expect(await journal.verify()).toMatchObject({ ok: true });
  });

  it('takes the time from a given clock', async () => {
    const now = new Date('2031-02-03T04:05:06.789Z');
    const [event] = await createJournal(database.pool, { now: () => now }).append([
      { stream: 'run:clock', expectedVersion: 0, events: one('A') },
    ]);
    expect(event?.at).toBe(now.toISOString());
    expect((await journal.last('run:clock'))?.at).toBe(now.toISOString());
  });
});

describe('a fence', () => {
  it('admits the owner at its epoch and nobody else', async () => {
    const leases = createLeases(database.pool);
    await leases.acquire('runner', 'replica-1', 60_000);
    const append = (owner: string, epoch: number, lease = 'runner') =>
      journal.append([{ stream: `run:fence`, expectedVersion: 0, events: one('A') }], {
        fence: { lease, owner, epoch },
      });
    await expect(append('replica-2', 1)).rejects.toThrow(LeaseLost);
    await expect(append('replica-1', 2)).rejects.toThrow(LeaseLost);
    await expect(append('replica-1', 1, 'unknown')).rejects.toThrow(LeaseLost);
    expect(await append('replica-1', 1)).toHaveLength(1);
  });

  it('refuses an expired lease, and the old epoch after the lease was taken again', async () => {
    const leases = createLeases(database.pool);
    await leases.acquire('fleeting', 'replica-1', 60_000);
    const append = (epoch: number) =>
      journal.append([{ stream: `run:fleeting`, expectedVersion: 0, events: one('A') }], {
        fence: { lease: 'fleeting', owner: 'replica-1', epoch },
      });
    await database.pool.query("UPDATE m10bot.leases SET expires_at = now() WHERE name = 'fleeting'");
    const before = await journal.head();
    await expect(append(1)).rejects.toThrow(LeaseLost);
    await leases.acquire('fleeting', 'replica-1', 60_000);
    await expect(append(1)).rejects.toThrow(LeaseLost);
    expect(await journal.head()).toEqual(before);
    expect(await append(2)).toHaveLength(1);
  });
});

describe('JSON that PostgreSQL does not take or writes differently', () => {
  it.each([
    ['NUL', 'a\0b', 'a\uFFFDb'],
    ['a lone high surrogate', '\uD800x', '\uFFFDx'],
    ['a lone low surrogate', 'x\uDC00', 'x\uFFFD'],
    ['a pair', '😀', '😀'],
    ['a backslash before u0000', '\\u0000', '\\u0000'],
    ['1e21', 1e21, 1e21],
    ['5e-324', 5e-324, 5e-324],
    ['the greatest number', Number.MAX_VALUE, Number.MAX_VALUE],
    ['-0', -0, 0],
    ['NaN', Number.NaN, null],
    ['keys', { 'a\0': 1, é: 2, '\uD834': 3, '': 4 }, { 'a\uFFFD': 1, é: 2, '\uFFFD': 3, '': 4 }],
  ])('%s', async (name, given, kept) => {
    const stream = `json:${name}`;
    const appended = await journal.append([
      { stream, expectedVersion: 0, events: [{ type: 'T\0', data: { given }, actor: 'U\uD800' }] },
    ]);
    expect(appended[0]).toMatchObject({ type: 'T\uFFFD', data: { given: kept }, actor: 'U\uFFFD' });
    expect(await journal.read(stream)).toEqual(appended);
    expect(await journal.verify({ from: appended[0]?.position ?? 0 })).toMatchObject({ ok: true });
  });

  it('keeps a key named __proto__ as data', async () => {
    const data: unknown = JSON.parse('{"__proto__": {"x": "\\u0000"}}');
    await journal.append([{ stream: 'json:proto', expectedVersion: 0, events: one('A', data) }]);
    expect(JSON.stringify((await journal.last('json:proto'))?.data)).toBe('{"__proto__":{"x":"\uFFFD"}}');
    expect(await journal.verify()).toMatchObject({ ok: true });
  });

  it('any JSON and any text keeps its hash through the round trip', async () => {
    let run = 0;
    const text = fc.string({ unit: 'binary' });
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ noUnicodeString: false }), text, text, async (data, type, actor) => {
        run += 1;
        const stream = `json:any-${run}:${type}`;
        const appended = await journal.append([
          { stream, expectedVersion: 0, events: [{ type, data, actor }] },
        ]);
        const read = await journal.readAll((appended[0]?.position ?? 0) - 1, 1);
        expect(read).toEqual(appended);
        expect(await journal.verify({ from: appended[0]?.position ?? 0 })).toMatchObject({ ok: true });
      }),
      { numRuns: 150 },
    );
  });
});

describe('the table', () => {
  it.each([
    'UPDATE m10bot.events SET data = data',
    'DELETE FROM m10bot.events',
    'TRUNCATE m10bot.events',
    'DELETE FROM m10bot.journal_head',
    'TRUNCATE m10bot.journal_head',
  ])('refuses %s', async (statement) => {
    const before = await count();
    const replica = `SET session_replication_role = replica; ${statement}; RESET session_replication_role`;
    await expect(database.pool.query(statement)).rejects.toThrow('the journal is append-only');
    const client = await database.pool.connect();
    await expect(client.query(replica)).rejects.toThrow('the journal is append-only');
    client.release(true);
    expect(await count()).toBe(before);
  });
});

describe('streams', () => {
  it('lists a prefix newest first, up to a limit', async () => {
    for (const name of ['list:1', 'list:2', 'list:10', 'listed:1']) {
      await journal.append([{ stream: name, expectedVersion: 0, events: one('A') }]);
    }
    await journal.append([{ stream: 'list:1', expectedVersion: 1, events: one('B') }]);
    expect(await journal.streams('list:', 10)).toEqual(['list:10', 'list:2', 'list:1']);
    expect(await journal.streams('list:1', 10)).toEqual(['list:10', 'list:1']);
    expect(await journal.streams('list', 2)).toEqual(['listed:1', 'list:10']);
    expect(await journal.streams('li%:', 2)).toEqual([]);
  });
});

describe('exportLines', () => {
  it('gives lines that can be checked one by one, for a stream and for everything', async () => {
    const lines: string[] = [];
    for await (const line of journal.exportLines('run:basic')) lines.push(line);
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      const { hash, ...rest }: { hash: string } = JSON.parse(line);
      expect(
        createHash('sha256')
          .update(canonicalize(rest) ?? '')
          .digest('hex'),
      ).toBe(hash);
    }
    let all = 0;
    let previous = GENESIS;
    for await (const line of journal.exportLines()) {
      const event: { previous: string; hash: string } = JSON.parse(line);
      expect(event.previous).toBe(previous);
      previous = event.hash;
      all += 1;
    }
    expect(all).toBe(await count());
  });
});
