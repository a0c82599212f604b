import { expect, it } from 'vitest';
import { troubleOf } from '../../../src/clients/alembic/trouble.js';
import type { ProcessResult } from '../../../src/clients/process.js';

function exited(exitCode: number, stderr: string, stdout = ''): ProcessResult {
  return { kind: 'exited', exitCode, stdout, stderr, stdoutPath: '', stderrPath: '', durationMs: 1 };
}
const traceback = (last: string) =>
  `Traceback (most recent call last):\n  File "x.py", line 1, in f\n${last}\n`;

// Texts as Alembic 1.8 with SQLAlchemy 1.4 and psycopg2 prints them.
it.each([
  [
    'unreachable',
    'sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) connection to server at "h" (10.0.0.1), port 1 failed: Connection refused',
  ],
  [
    'unreachable',
    'sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) could not translate host name "h" to address: Name or service not known',
  ],
  [
    'lock_timeout',
    'sqlalchemy.exc.OperationalError: (psycopg2.errors.LockNotAvailable) canceling statement due to lock timeout\n\n[SQL: DROP TABLE x]',
  ],
  [
    'concurrent',
    'sqlalchemy.exc.IntegrityError: (psycopg2.errors.UniqueViolation) duplicate key value violates unique constraint "pg_type_typname_nsp_index"',
  ],
  [
    'failed',
    'sqlalchemy.exc.OperationalError: (psycopg2.errors.AdminShutdown) terminating connection due to administrator command',
  ],
  [
    'failed',
    'sqlalchemy.exc.IntegrityError: (psycopg2.errors.UniqueViolation) duplicate key value violates unique constraint "uq_mine"',
  ],
])('calls it %s', (kind, last) => {
  const trouble = troubleOf(exited(1, traceback(last)), null);
  expect(trouble).toMatchObject({ kind, evidence: last.split('\n\n[SQL')[0] });
});

it('reads the FAILED line of stdout', () => {
  const line =
    "FAILED: Multiple head revisions are present for given argument 'head'; please specify a target";
  expect(troubleOf(exited(255, 'INFO [x] y', `${line}\n`), null)).toMatchObject({
    kind: 'several_heads',
    evidence: line,
  });
});

it('has nothing to say about a success, and the last lines of anything else', () => {
  expect(troubleOf(exited(0, 'INFO anything'), null)).toBeNull();
  expect(troubleOf(exited(2, '', 'usage: alembic\n'), null)).toMatchObject({
    kind: 'failed',
    evidence: 'usage: alembic',
  });
});
