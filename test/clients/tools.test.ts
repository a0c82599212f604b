import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createProcesses } from '../../src/clients/process.js';
import { majorOf, parseVersion, readTools, type ToolsOptions } from '../../src/clients/tools.js';

let directory: string;
let options: ToolsOptions;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'm10-tools-'));
  const processes = createProcesses({ directory });
  options = { processes, id: 'tools', cwd: directory, env: { PATH: `${directory}:${inject('toolPath')}` } };
  writeFileSync(join(directory, 'broken-tool'), '#!/bin/sh\necho "no interpreter" >&2\nexit 3\n', {
    mode: 0o700,
  });
  writeFileSync(join(directory, 'stderr-tool'), '#!/bin/sh\necho "stderr-tool 2.5" >&2\n', { mode: 0o700 });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it('finds the programs of a migration and their versions', async () => {
  const programs = ['alembic', 'pg_dump', 'pg_restore', 'psql', 'python3', 'pytest', 'redis-cli'];
  const tools = await readTools(programs, options);
  for (const tool of tools) {
    expect(tool).toMatchObject({ kind: 'present', version: expect.stringMatching(/^\d+\.\d+/) });
  }
  expect(tools.map((tool) => tool.program)).toEqual(programs);
});

it('tells a missing program from one that does not run', async () => {
  expect(await readTools(['no-such-tool', 'broken-tool', 'stderr-tool'], options)).toMatchObject([
    { kind: 'missing', reason: expect.stringContaining('not found: no-such-tool (looked in PATH') },
    { kind: 'broken', path: join(directory, 'broken-tool'), evidence: 'no interpreter' },
    { kind: 'present', version: '2.5' },
  ]);
});

it.each([
  ['pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)', '15.18', 15],
  ['alembic 1.8.1', '1.8.1', 1],
  ['Python 3.13.0rc1', '3.13.0rc1', 3],
  ['psql (PostgreSQL) 17beta1', null, Number.NaN],
  ['tool 9', '9', 9],
])('reads the version of %s', (text, version, major) => {
  expect(parseVersion(text)).toBe(version);
  expect(majorOf(version ?? '')).toBe(major);
});
