import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createProcesses } from '../../src/clients/process.js';
import { type LintOptions, lintSql, squawkProgram } from '../../src/clients/squawk.js';

let directory: string;
let options: LintOptions;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'm10-squawk-'));
  options = { processes: createProcesses({ directory }), id: 'lint/1' };
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const script = `BEGIN;

-- Running upgrade 021 -> 022

CREATE INDEX i
  ON t (a);

DROP TABLE gone;

COMMIT;
`;

it('runs the native program of the platform', () => {
  const program = squawkProgram();
  expect(program).toHaveLength(1);
  expect(program?.[0]).toContain(`@squawk-cli/${process.platform}-${process.arch}`);
});

it('finds what blocks, with line and statement', async () => {
  const result = await lintSql(script, { ...options, postgresVersion: '15' });
  if (result.kind !== 'linted') throw new Error(result.evidence);
  expect(result.findings).toContainEqual(
    expect.objectContaining({
      rule: 'require-concurrent-index-creation',
      level: 'Warning',
      line: 5,
      statement: 'CREATE INDEX i\n  ON t (a)',
    }),
  );
  expect(result.findings).toContainEqual(
    expect.objectContaining({ rule: 'ban-drop-table', line: 8, statement: 'DROP TABLE gone', help: null }),
  );
});

it('finds nothing in harmless SQL, and nothing of what is excluded', async () => {
  expect(await lintSql('SELECT 1;\n', options)).toEqual({ kind: 'linted', findings: [] });
  const result = await lintSql(script, { ...options, exclude: ['ban-drop-table', 'require-lock-timeout'] });
  expect(JSON.stringify(result)).not.toMatch(/ban-drop-table|require-lock-timeout/);
});

it('reports a syntax error as a finding', async () => {
  const result = await lintSql('SELECT 1;\nCREATE TABL x;\n', options);
  if (result.kind !== 'linted') throw new Error(result.evidence);
  expect(result.findings[0]).toMatchObject({ rule: 'syntax-error', level: 'Error', line: 2 });
});

it('says why it could not lint', async () => {
  expect(await lintSql('SELECT 1;', { ...options, exclude: ['no-such-rule'] })).toMatchObject({
    kind: 'failed',
    evidence: expect.stringContaining('no-such-rule'),
  });
});
