import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { revisions } from '../../../workspace/backend/variants.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import {
  type Backend,
  connect,
  type Database,
  objects,
  objectsAfter,
  objectsBefore,
  revision,
  temporaryBackend,
} from './support.js';

let backend: Backend;
let fresh: FreshDatabase;
let db: Database;
let env: { DATABASE_URL: string };

beforeAll(async () => {
  [backend, fresh] = await Promise.all([temporaryBackend(), freshDatabase('revisions')]);
  db = await connect(fresh.url);
  env = { DATABASE_URL: fresh.url };
});
afterAll(async () => {
  await db?.end();
  await Promise.all([fresh?.drop(), backend?.remove()]);
});

const upgrade = (to: string) => backend.alembic(['upgrade', to], env);
const downgrade = (to: string) => backend.alembic(['downgrade', to], env);

test('up and down through all revisions, told on stderr alone', async () => {
  const first = await upgrade(revisions.before);
  expect(first).toMatchObject({ exitCode: 0, stdout: '' });
  expect(first.stderr).toContain(
    'INFO  [alembic.runtime.migration] Running upgrade 020_m10_matview_tracking -> 021_m10_durable_queue_fallback',
  );
  expect(await objects(db)).toEqual(objectsBefore);
  expect(
    await db.rows(`select (select count(*)::int from public.recovery_candidates),
      (select count(*)::int from m10_recovery.work_queue), (select count(*)::int from m10_recovery.mv_top_pending)`),
  ).toEqual([[1500, 375, 200]]);

  expect(await upgrade(revisions.hardening)).toMatchObject({ exitCode: 0, stdout: '' });
  expect(await objects(db)).toEqual(objectsAfter);

  expect(await downgrade(revisions.before)).toMatchObject({ exitCode: 0, stdout: '' });
  expect(await objects(db)).toEqual(objectsBefore);

  expect(await upgrade(revisions.beyond)).toMatchObject({ exitCode: 0, stdout: '' });
  expect(await objects(db)).toEqual([...objectsAfter, 'candidate_notes'].sort());
});

describe('a database past 022', () => {
  beforeEach(() => upgrade(revisions.beyond));

  test('does not notice an upgrade to 022', async () => {
    const { exitCode, stderr } = await upgrade(revisions.hardening);
    expect(exitCode).toBe(0);
    expect(stderr).not.toContain('Running upgrade');
    expect(await revision(db)).toBe(revisions.beyond);
  });

  test('loses what came after 022 too when it goes down to 021', async () => {
    const { stderr } = await downgrade(revisions.before);
    expect(stderr).toContain(`Running downgrade ${revisions.beyond} -> ${revisions.hardening}`);
    expect(await objects(db)).toEqual(objectsBefore);
  });
});

test('current prints the revision, and (head) at the last one', async () => {
  await upgrade(revisions.beyond);
  expect(await backend.alembic(['current'], env)).toMatchObject({
    exitCode: 0,
    stdout: '023_m10_candidate_notes (head)',
  });
  await downgrade(revisions.hardening);
  expect((await backend.alembic(['current'], env)).stdout).toBe('022_m10_production_hardening');
});

test('the SQL of the upgrade is printed without a database', async () => {
  const plan = await backend.alembic(['upgrade', `${revisions.before}:${revisions.hardening}`, '--sql'], {});
  expect(plan.exitCode).toBe(0);
  expect(plan.stdout).toMatch(/^BEGIN;/);
  expect(plan.stdout.trimEnd()).toMatch(/COMMIT;$/);
  expect(plan.stdout.match(/CREATE TABLE IF NOT EXISTS/g)).toHaveLength(4);
  expect(plan.stdout.match(/CREATE OR REPLACE FUNCTION/g)).toHaveLength(9);
});

test('what is printed does the same as what is run', async () => {
  const other = await freshDatabase('printed');
  const direct = await connect(other.url);
  try {
    const { stdout } = await backend.alembic(['upgrade', revisions.hardening, '--sql'], {});
    await direct.client.query(stdout);
    expect(await objects(direct)).toEqual(objectsAfter);
    expect(await revision(direct)).toBe(revisions.hardening);
  } finally {
    await direct.end();
    await other.drop();
  }
});

test('a downgrade under a lock timeout gives up behind a reader and leaves everything as it was', async () => {
  await downgrade(revisions.before);
  await upgrade(revisions.hardening);
  const reader = await connect(fresh.url);
  try {
    await reader.rows('begin');
    await reader.rows('select count(*) from m10_recovery.outbox');
    const impatient = { ...env, PGOPTIONS: '-c lock_timeout=300ms' };
    const { exitCode, stderr } = await backend.alembic(['downgrade', revisions.before], impatient);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('LockNotAvailable');
    expect(await revision(db)).toBe(revisions.hardening);
    expect(await objects(db)).toEqual(objectsAfter);
  } finally {
    await reader.end();
  }
});

test('failures come with the exit codes of Alembic', async () => {
  expect(await backend.alembic(['upgrade', '099'], env)).toMatchObject({ exitCode: 255 });
  const nowhere = { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/nothing' };
  const unreachable = await backend.alembic(['current'], nowhere);
  expect(unreachable.exitCode).toBe(1);
  expect(unreachable.stderr).toContain('Traceback');
  const unset = await backend.alembic(['current'], {});
  expect(unset.exitCode).toBe(255);
  expect(unset.stdout + unset.stderr).toContain('FAILED: DATABASE_URL is not set');
});
