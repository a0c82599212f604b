import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readDisk } from '../../src/clients/disk.js';

it('reads the room of a directory and leaves nothing behind', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'm10-disk-'));
  const facts = await readDisk(directory);
  expect(facts).toMatchObject({ kind: 'directory', writable: true, problem: null });
  if (facts.kind !== 'directory') throw new Error(facts.kind);
  expect(facts.freeBytes).toBeGreaterThan(0);
  expect(facts.totalBytes).toBeGreaterThanOrEqual(facts.freeBytes);
  expect(readdirSync(directory)).toEqual([]);
  rmSync(directory, { recursive: true });
  expect(await readDisk(directory)).toEqual({ kind: 'missing', path: directory });
});

it('says why nothing can be written, also to root', async () => {
  // procfs takes no files, whoever asks.
  expect(await readDisk('/proc')).toMatchObject({
    kind: 'directory',
    writable: false,
    problem: expect.stringMatching(/^E[A-Z]+: /),
  });
});

it('tells a file from a directory', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'm10-disk-'));
  const path = join(directory, 'file');
  writeFileSync(path, '');
  expect(await readDisk(path)).toEqual({ kind: 'not_a_directory', path });
  expect(await readDisk(join(path, 'below'))).toMatchObject({ kind: 'missing' });
  rmSync(directory, { recursive: true });
});
