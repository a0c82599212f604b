import { afterAll, beforeAll, expect, it } from 'vitest';
import { createBoard } from '../../src/commands/board.js';
import { createJournal } from '../../src/store/journal.js';
import { createRuns } from '../../src/store/runs.js';
import { targetNames } from '../../src/store/target-names.js';
import { open } from '../runbook/spec.js';
import { stateDatabase } from './state.js';

let database: Awaited<ReturnType<typeof stateDatabase>>;
beforeAll(async () => {
  database = await stateDatabase();
});
afterAll(() => database.drop());

it('keep a run in sight whose targets were renamed in the configuration', async () => {
  const journal = createJournal(database.pool);
  const runs = createRuns({ journal, now: Date.now });
  // From the first one on: an operation beside the migration is found as well.
  expect(await targetNames(journal, ['staging'])).toEqual(['staging', 'staging:m10']);
  expect(await runs.execute(7, open)).toMatchObject({ kind: 'accepted' });
  const targets = await targetNames(journal, ['stage', 'prod', 'staging']);
  expect([...targets].sort()).toEqual([
    'prod',
    'prod:m10',
    'production',
    'stage',
    'stage:m10',
    'staging',
    'staging:m10',
  ]);
  const board = createBoard({ journal, runs, targets: await targetNames(journal, ['stage', 'prod']) });
  expect((await board.now()).run?.run).toBe(7);
});
