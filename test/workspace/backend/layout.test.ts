import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commitBackend, layoutBackend } from '../../../workspace/backend/layout.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'm10-layout-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const git = async (...args: string[]) => (await execa('git', args, { cwd: directory })).stdout;

test('a layout is a clean git repository with one commit, the same one each time', async () => {
  const first = await layoutBackend({ directory: join(directory, 'a') });
  const second = await layoutBackend({ directory: join(directory, 'b') });
  expect(first.commit).toMatch(/^[0-9a-f]{40}$/);
  expect(second.commit).toBe(first.commit);
  const log = await execa('git', ['log', '--format=%H %an'], { cwd: first.directory });
  expect(log.stdout).toBe(`${first.commit} Sample Backend`);
  expect((await execa('git', ['status', '--porcelain'], { cwd: first.directory })).stdout).toBe('');
});

test('a second layout in the same directory is a further commit with the new content alone', async () => {
  const first = await layoutBackend({ directory, variant: 'two-heads' });
  const second = await layoutBackend({ directory, variant: 'good' });
  expect(second.commit).not.toBe(first.commit);
  expect(await git('rev-parse', 'HEAD^')).toBe(first.commit);
  expect(await git('diff', '--name-status', 'HEAD^', 'HEAD')).toBe(
    'D\tmigrations/versions/023_m10_lock_audit.py',
  );
});

test('an edit can be committed as the next deploy', async () => {
  const { commit } = await layoutBackend({ directory });
  await writeFile(join(directory, 'note.txt'), 'changed');
  const next = await commitBackend(directory, 'Change something');
  expect(next).not.toBe(commit);
  expect(await git('show', '--format=%s', '--name-only', 'HEAD')).toBe('Change something\n\nnote.txt');
});

test('the sleep of the variant slow can be laid out', async () => {
  await layoutBackend({ directory, variant: 'slow', sleepSeconds: 7 });
  expect(await readFile(join(directory, 'alembic.ini'), 'utf8')).toContain('\nm10_sleep_seconds = 7\n');
});

test('a directory with other files is left alone', async () => {
  await writeFile(join(directory, 'thesis.txt'), 'years of work');
  await expect(layoutBackend({ directory })).rejects.toThrow('is not empty and holds no sample backend');
  expect(await readFile(join(directory, 'thesis.txt'), 'utf8')).toBe('years of work');
});
