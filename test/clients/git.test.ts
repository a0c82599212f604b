import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { parseStatus, readGit } from '../../src/clients/git.js';
import { createProcesses } from '../../src/clients/process.js';
import { layoutBackend } from '../../workspace/backend/layout.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'm10-git-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const read = (path: string, env: Record<string, string> = { PATH: inject('toolPath') }) =>
  readGit({
    processes: createProcesses({ directory: join(directory, 'children') }),
    id: 'git',
    directory: path,
    env,
  });

it('reads the commit, and what was changed by hand', async () => {
  const project = join(directory, 'project');
  const { commit } = await layoutBackend({ directory: project });
  expect(await read(project)).toEqual({ kind: 'repository', commit, branch: 'main', dirty: [] });
  appendFileSync(join(project, 'alembic.ini'), '# by hand\n');
  writeFileSync(join(project, 'migrations', 'new file.py'), '');
  expect(await read(project)).toMatchObject({
    commit,
    dirty: [
      { status: '.M', path: 'alembic.ini' },
      { status: '??', path: 'migrations/new file.py' },
    ],
  });
  // Only what lies below the directory counts.
  expect(await read(join(project, 'scripts'))).toMatchObject({ commit, dirty: [] });
});

it('says that there is no repository, no program, no directory', async () => {
  const plain = join(directory, 'plain');
  mkdirSync(plain);
  expect(await read(plain)).toEqual({ kind: 'no_repository' });
  expect(await read(plain, { PATH: '/nonexistent' })).toMatchObject({
    kind: 'failed',
    evidence: expect.stringContaining('not found: git'),
  });
  expect(await read(join(directory, 'absent'))).toMatchObject({ kind: 'failed' });
});

it('reads a detached head, a first commit to come, renames and conflicts', () => {
  const hash = 'a'.repeat(40);
  expect(parseStatus(`# branch.oid ${hash}\0# branch.head (detached)\0`)).toEqual({
    kind: 'repository',
    commit: hash,
    branch: null,
    dirty: [],
  });
  const changed = [
    '# branch.oid (initial)',
    '# branch.head main',
    '2 R. N... 100644 100644 100644 aaa bbb R100 new name.py',
    'old name.py',
    'u UU N... 100644 100644 100644 100644 aaa bbb ccc both.py',
    '? left over',
    '',
  ];
  expect(parseStatus(changed.join('\0'))).toEqual({
    kind: 'repository',
    commit: null,
    branch: 'main',
    dirty: [
      { status: 'R.', path: 'new name.py' },
      { status: 'UU', path: 'both.py' },
      { status: '??', path: 'left over' },
    ],
  });
});
