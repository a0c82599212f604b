import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConfigError } from '../../src/config.js';
import { openState } from '../../src/main/state.js';
import { freshDatabase } from '../support/database.js';

let directory = '';
let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'm10-state-'));
  database = await freshDatabase('state_directory');
});
afterEach(async () => {
  rmSync(directory, { recursive: true });
  await database.drop();
});

const open = (at: string) =>
  openState(
    { state: { databaseUrl: database.url, directory: at, stopWaitMs: 20_000 } },
    () => undefined,
    () => undefined,
  );

test('the start proves that files can be written, and leaves no other than its own', async () => {
  const state = await open(join(directory, 'own'));
  await state.close();
  expect(readdirSync(join(directory, 'own'))).toEqual(['identity.json']);
});

test.each([
  // procfs takes no files, whoever asks: as a full disk or a read-only mount.
  ['takes no file', () => '/proc'],
  [
    'cannot be made',
    () => {
      writeFileSync(join(directory, 'file'), '');
      return join(directory, 'file', 'below');
    },
  ],
  [
    'is a file',
    () => {
      writeFileSync(join(directory, 'file'), '');
      return join(directory, 'file');
    },
  ],
])('one that %s is refused with its place', async (_, place) => {
  const at = place();
  const error = await open(at).then(
    (state) => state.close(),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ConfigError);
  expect(String(error)).toContain('state.directory');
  expect(String(error)).toContain(at);
});
