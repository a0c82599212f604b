import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { journalCheck } from '../../src/doctor/journal.js';
import { headsPath } from '../../src/main/state.js';
import { createHeadsFile } from '../../src/store/heads-file.js';
import { createJournal } from '../../src/store/journal.js';
import { stateDatabase } from '../store/state.js';

let database: Awaited<ReturnType<typeof stateDatabase>>;
let directory: string;
beforeEach(async () => {
  database = await stateDatabase();
  directory = await mkdtemp(join(tmpdir(), 'm10-doctor-journal-'));
});
afterEach(async () => {
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

it('says whether the noted heads are part of the journal, and who could rewrite it', async () => {
  const config = { state: { databaseUrl: database.url, directory, stopWaitMs: 20_000 } };
  const journal = createJournal(database.pool);
  await journal.append([{ stream: 'run:1', expectedVersion: 0, events: [{ type: 'A', data: {} }] }]);
  const file = createHeadsFile(headsPath(config));
  await file.note(await journal.head());
  const found = () => journalCheck(config, async () => null).run();
  expect(await found()).toMatchObject([
    { mark: 'fine', facts: expect.stringContaining('(1)') },
    { mark: 'attention', facts: expect.stringContaining('could rewrite it') },
  ]);
  await file.note({ position: 9, hash: 'a'.repeat(64) });
  expect(await found()).toMatchObject([
    { mark: 'problem', facts: expect.stringContaining('the journal ends at position 1') },
    { mark: 'attention' },
  ]);
});
