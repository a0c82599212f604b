import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createHeadsWatch } from '../../src/main/heads.js';
import { compareHeads, type HeadMismatch, inWords, type NotedHead } from '../../src/store/heads.js';
import { createHeadsFile } from '../../src/store/heads-file.js';
import { createJournal, type Journal } from '../../src/store/journal.js';
import { stateDatabase } from './state.js';

let database: Awaited<ReturnType<typeof stateDatabase>>;
let journal: Journal;
let directory: string;
beforeEach(async () => {
  database = await stateDatabase();
  journal = createJournal(database.pool);
  directory = await mkdtemp(join(tmpdir(), 'm10-heads-'));
});
afterEach(async () => {
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

const path = () => join(directory, 'heads.jsonl');
async function grow(...data: number[]): Promise<void> {
  for (const n of data) {
    const expectedVersion = await journal.version('run:1');
    await journal.append([{ stream: 'run:1', expectedVersion, events: [{ type: 'A', data: { n } }] }]);
  }
}
/** What the owner of the tables can do: another history, whole in itself. */
async function rewrite(...data: number[]): Promise<void> {
  await database.pool.query(`ALTER TABLE m10bot.events DISABLE TRIGGER ALL;
    ALTER TABLE m10bot.journal_head DISABLE TRIGGER ALL;
    DELETE FROM m10bot.events; UPDATE m10bot.journal_head SET position = 0, hash = repeat('0', 64)`);
  await grow(...data);
}
const inFile = async (): Promise<NotedHead> => ({ ...(await journal.head()), place: 'file' });

describe('heads that were noted outside the database', () => {
  it('are found in a journal that grew, and an empty file says nothing', async () => {
    await grow(1, 2);
    const noted = await inFile();
    await grow(3);
    expect(await compareHeads(database.pool, [noted])).toEqual([]);
    expect(await compareHeads(database.pool, [])).toEqual([]);
  });

  it('show a chain that was computed anew, which the journal itself calls whole', async () => {
    await grow(1, 2);
    const noted = await inFile();
    await rewrite(7, 8, 9);
    expect(await journal.verify()).toMatchObject({ ok: true });
    const [found] = await compareHeads(database.pool, [noted]);
    expect(found).toMatchObject({ noted, found: expect.stringMatching(/^[0-9a-f]{64}$/), end: 3 });
  });

  it('show a tail that was cut', async () => {
    await grow(1);
    const first = await inFile();
    await grow(2, 3);
    const last = await inFile();
    await rewrite(1);
    // The times differ, so the first event is another one as well.
    const mismatches = await compareHeads(database.pool, [last, first]);
    expect(mismatches.map((m) => m.noted.position)).toEqual([1, 3]);
    expect(mismatches[1]).toMatchObject({ found: null, end: 1 });
    expect(inWords(mismatches[1] ?? null)).toContain('the journal ends at position 1');
  });
});

describe('the file of heads', () => {
  it('is appended to, survives a line that a crash cut, and begins anew once people accept', async () => {
    const file = createHeadsFile(path());
    const hash = (c: string) => c.repeat(64);
    await file.note({ position: 0, hash: hash('0') });
    await file.note({ position: 1, hash: hash('a') });
    await appendFile(path(), '{"at":"2026-01-10T0\n');
    await file.note({ position: 2, hash: hash('b') });
    expect((await file.read()).heads.map((h) => h.position)).toEqual([1, 2]);
    await file.accept({ position: 2, hash: hash('b') }, 'alice', 'restored');
    await file.note({ position: 3, hash: hash('c') });
    const { heads, acceptedAt } = await file.read();
    expect(heads.map((h) => h.position)).toEqual([3]);
    expect(acceptedAt).not.toBeNull();
    expect((await readFile(path(), 'utf8')).split('\n')).toHaveLength(7);
  });
});

describe('the watch', () => {
  function watch(channel: () => Promise<NotedHead[]> = async () => []) {
    const told: HeadMismatch[] = [];
    const heads = createHeadsWatch({
      pool: database.pool,
      journal,
      file: createHeadsFile(path()),
      channelHeads: channel,
      againMs: 20,
      tell: async (mismatch) => {
        told.push(mismatch);
      },
      log: { warn() {}, error() {} },
    });
    return { heads, told };
  }
  const lines = async () =>
    (await readFile(path(), 'utf8').catch(() => '')).split('\n').filter((l) => l !== '');

  it('notes the head at its start and its end, and says nothing of a journal that only grew', async () => {
    await grow(1);
    const first = watch();
    first.heads.start();
    await vi.waitFor(async () => expect(await lines()).toHaveLength(1));
    await grow(2);
    await first.heads.stop();
    expect(await lines()).toHaveLength(2);
    expect(await watch().heads.compare()).toBeNull();
    expect(first.told).toEqual([]);
  });

  it('tells once of a journal that was rewritten, until people accept it', async () => {
    await grow(1, 2);
    await watch().heads.stop();
    await rewrite(1, 2);
    const { heads, told } = watch();
    expect(await heads.differs()).toContain('heads.jsonl');
    await heads.compare();
    expect(told).toHaveLength(1);
    expect(heads.standing()).toMatchObject({ noted: { position: 2, place: 'file' } });
    await createHeadsFile(path()).accept(await journal.head(), 'alice', 'restored');
    expect(await heads.differs()).toBeNull();
  });

  it('asks the channel again until it answers, and believes it as well', async () => {
    await grow(1);
    const noted: NotedHead = { ...(await journal.head()), place: 'channel' };
    await rewrite(5);
    let asked = 0;
    const { heads, told } = watch(async () => {
      asked += 1;
      if (asked < 3) throw new Error('Slack is away');
      return [noted];
    });
    heads.start();
    await vi.waitFor(() => expect(told).toMatchObject([{ noted }]), 10_000);
    await heads.stop();
  });
});
