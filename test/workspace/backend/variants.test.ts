import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { wrongShapedLocksSql } from '../../../workspace/backend/layout.js';
import { type BackendVariant, revisions } from '../../../workspace/backend/variants.js';
import { repositoryRoot } from '../../../workspace/services/tools.js';
import { type FreshDatabase, freshDatabase } from '../../support/database.js';
import { eventually } from '../../support/processes.js';
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

/** A database at 021 and a variant of the backend, new for each test. */
function setUp(variant: BackendVariant) {
  const at: { backend: Backend; db: Database; env: { DATABASE_URL: string } } = Object.create(null);
  let fresh: FreshDatabase;
  beforeAll(async () => {
    at.backend = await temporaryBackend(variant);
  });
  afterAll(() => at.backend?.remove());
  beforeEach(async () => {
    fresh = await freshDatabase(variant, { template: before.name });
    at.env = { DATABASE_URL: fresh.url };
    at.db = await connect(fresh.url);
    return async () => {
      await at.db.end();
      await fresh.drop();
    };
  });
  return at;
}

let before: FreshDatabase;
beforeAll(async () => {
  before = await freshDatabase('before');
  const backend = await temporaryBackend();
  try {
    await backend.alembic(['upgrade', revisions.before], { DATABASE_URL: before.url });
  } finally {
    await backend.remove();
  }
});
afterAll(() => before?.drop());

const apply = (at: { backend: Backend; env: { DATABASE_URL: string } }) =>
  at.backend.alembic(['upgrade', revisions.hardening], at.env);

/** True while a session of this database waits as described. */
const waiting = (db: Database, event: string) =>
  eventually(async () => {
    const found = await db.rows(
      `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
       and coalesce(wait_event_type, '') || ':' || coalesce(wait_event, '') like $1`,
      [event],
    );
    return found.length > 0;
  });

describe('publish-outbox-fails', () => {
  const at = setUp('publish-outbox-fails');
  test('applies with all nine functions, but every call fails', async () => {
    expect(await apply(at)).toMatchObject({ exitCode: 0 });
    expect(await objects(at.db)).toEqual(objectsAfter);
    await expect(at.db.rows(`select m10_recovery.publish_outbox('a', 'b', 'c', '{}')`)).rejects.toThrow(
      'constraint "uq_outbox_pending" for table "outbox" does not exist',
    );
    expect(await at.backend.alembic(['downgrade', revisions.before], at.env)).toMatchObject({ exitCode: 0 });
    expect(await objects(at.db)).toEqual(objectsBefore);
  });
});

describe('fails-half-way', () => {
  const at = setUp('fails-half-way');
  test('leaves 021 and no new object', async () => {
    const { exitCode, stderr } = await apply(at);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('type "m10_recovery.origin_kind" does not exist');
    expect(await revision(at.db)).toBe(revisions.before);
    expect(await objects(at.db)).toEqual(objectsBefore);
  });

  test('has made two tables by then', async () => {
    const plan = await at.backend.alembic(
      ['upgrade', `${revisions.before}:${revisions.hardening}`, '--sql'],
      {},
    );
    const upToTheFault = plan.stdout.slice(0, plan.stdout.indexOf('origin_kind'));
    expect(upToTheFault.match(/CREATE TABLE IF NOT EXISTS m10_recovery\.\w+/g)).toEqual([
      'CREATE TABLE IF NOT EXISTS m10_recovery.distributed_locks',
      'CREATE TABLE IF NOT EXISTS m10_recovery.replay_log',
    ]);
  });
});

describe('blocks-on-lock', () => {
  const at = setUp('blocks-on-lock');
  test('waits for a reader of work_queue, and goes on when the reader leaves', async () => {
    // Another session than the one that watches: within a transaction pg_stat_activity stands still.
    const reader = await connect(at.env.DATABASE_URL);
    await reader.rows('begin');
    await reader.rows('select count(*) from m10_recovery.work_queue');
    const upgrade = apply(at);
    expect(await waiting(at.db, 'Lock:relation')).toBe(true);
    await reader.end();
    expect(await upgrade).toMatchObject({ exitCode: 0 });
    expect(await objects(at.db)).toEqual(objectsAfter);
  });

  test('of two at once one applies and the other fails', async () => {
    const reader = await connect(at.env.DATABASE_URL);
    await reader.rows('begin');
    await reader.rows('select count(*) from m10_recovery.work_queue');
    const both = [apply(at), apply(at)];
    expect(await waiting(at.db, 'Lock:relation')).toBe(true);
    // The second one waits for the first to be done with a name that both want to give to a table.
    expect(await waiting(at.db, 'Lock:transactionid')).toBe(true);
    await reader.end();
    const outcomes = await Promise.all(both);
    expect(outcomes.map((run) => run.exitCode).sort()).toEqual([0, 1]);
    expect(outcomes.map((run) => run.stderr).join()).toContain('IntegrityError');
    expect(await revision(at.db)).toBe(revisions.hardening);
    expect(await objects(at.db)).toEqual(objectsAfter);
  });

  test('gives up under a lock timeout with nothing changed', async () => {
    await at.db.rows('begin');
    await at.db.rows('select count(*) from m10_recovery.work_queue');
    const { exitCode, stderr } = await at.backend.alembic(['upgrade', revisions.hardening], {
      ...at.env,
      PGOPTIONS: '-c lock_timeout=300ms',
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('LockNotAvailable');
    expect(await revision(at.db)).toBe(revisions.before);
    expect(await objects(at.db)).toEqual(objectsBefore);
  });
});

describe('slow', () => {
  const at = setUp('slow');
  const start = (seconds: string) =>
    at.backend.start('alembic', ['upgrade', revisions.hardening], { ...at.env, M10_BACKEND_SLEEP: seconds });

  test('sleeps as long as the environment says, then is done', async () => {
    expect(await start('0.2')).toMatchObject({ exitCode: 0 });
    expect(await objects(at.db)).toEqual(objectsAfter);
  });

  test('killed in its sleep it leaves a session that ends by itself, 021 and no new object', async () => {
    const upgrade = start('5');
    expect(await waiting(at.db, 'Timeout:PgSleep')).toBe(true);
    upgrade.kill('SIGKILL');
    expect(await upgrade).toMatchObject({ signal: 'SIGKILL' });
    expect(await waiting(at.db, 'Timeout:PgSleep')).toBe(true);
    const gone = await eventually(async () => {
      const sessions = `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`;
      return (await at.db.rows(sessions)).length === 0;
    });
    expect(gone).toBe(true);
    expect(await revision(at.db)).toBe(revisions.before);
    expect(await objects(at.db)).toEqual(objectsBefore);
  });
});

describe('wrong-shaped-table', () => {
  const at = setUp('wrong-shaped-table');
  test('022 takes the leftover table for its own, and acquire_lock fails', async () => {
    await at.backend.alembic(['downgrade', revisions.matview], at.env);
    await at.backend.alembic(['upgrade', revisions.before], at.env);
    expect(await objects(at.db)).toEqual(['distributed_locks', ...objectsBefore].sort());
    expect(await apply(at)).toMatchObject({ exitCode: 0 });
    expect(await objects(at.db)).toEqual(objectsAfter);
    await expect(at.db.rows(`select m10_recovery.acquire_lock('l', 'a')`)).rejects.toThrow(
      'no unique or exclusion constraint',
    );
  });

  test('the same happens to a good 022 on a database that was prepared with the SQL', async () => {
    await at.db.rows(await wrongShapedLocksSql());
    const good = await temporaryBackend();
    try {
      expect(await good.alembic(['upgrade', revisions.hardening], at.env)).toMatchObject({ exitCode: 0 });
    } finally {
      await good.remove();
    }
    await expect(at.db.rows(`select m10_recovery.acquire_lock('l', 'a')`)).rejects.toThrow();
  });
});

describe('two-heads', () => {
  const at = setUp('two-heads');
  test('lists two heads, refuses head, and marks 022 as a branch point', async () => {
    const heads = await at.backend.alembic(['heads'], at.env);
    expect(heads.stdout.split('\n').sort()).toEqual([
      '023_m10_candidate_notes (head)',
      '023_m10_lock_audit (head)',
    ]);
    const head = await at.backend.alembic(['upgrade', 'head'], at.env);
    expect(head.exitCode).toBe(255);
    expect(head.stdout).toContain('Multiple head revisions');
    expect(await apply(at)).toMatchObject({ exitCode: 0 });
    const current = await at.backend.alembic(['current'], at.env);
    expect(current.stdout).toBe('022_m10_production_hardening (branchpoint)');
  });
});

describe('autocommit-block', () => {
  const at = setUp('autocommit-block');
  test('applies, and shows in the plan that it leaves its transaction', async () => {
    const plan = await at.backend.alembic(
      ['upgrade', `${revisions.before}:${revisions.hardening}`, '--sql'],
      {},
    );
    expect(plan.stdout).toMatch(/COMMIT;\s+CREATE INDEX CONCURRENTLY/);
    expect(await apply(at)).toMatchObject({ exitCode: 0 });
    expect(await objects(at.db)).toEqual(objectsAfter);
    expect(await at.backend.alembic(['downgrade', revisions.before], at.env)).toMatchObject({ exitCode: 0 });
    expect(await objects(at.db)).toEqual(objectsBefore);
  });
});

describe('autocommit-block-fails', () => {
  const at = setUp('autocommit-block-fails');
  test('leaves tables of 022 and an invalid index at revision 021', async () => {
    expect(await apply(at)).toMatchObject({ exitCode: 1 });
    expect(await revision(at.db)).toBe(revisions.before);
    expect(await objects(at.db)).toEqual(
      [...objectsBefore, 'dead_letter_archive', 'distributed_locks', 'outbox', 'replay_log'].sort(),
    );
    const invalid = 'select indexrelid::regclass::text from pg_index where not indisvalid';
    expect(await at.db.rows(invalid)).toEqual([['m10_recovery.uq_work_queue_priority']]);
  });
});

describe('dangerous-sql', () => {
  const at = setUp('dangerous-sql');
  test('is noticed by the linter, where the good one is not', async () => {
    const plan = ['upgrade', `${revisions.before}:${revisions.hardening}`, '--sql'];
    const good = await temporaryBackend();
    const lint = async (input: string) => {
      const program = join(await repositoryRoot(), 'node_modules', '.bin', 'squawk');
      const { stdout } = await execa(program, ['--reporter', 'json'], { input, reject: false });
      const findings = z.array(z.object({ rule_name: z.string() })).parse(JSON.parse(stdout));
      return new Set(findings.map((finding) => finding.rule_name));
    };
    try {
      const harmless = await lint((await good.alembic(plan, {})).stdout);
      const found = await lint((await at.backend.alembic(plan, {})).stdout);
      expect([...found].filter((rule) => !harmless.has(rule)).sort()).toEqual([
        'adding-not-nullable-field',
        'adding-required-field',
        'changing-column-type',
        'require-concurrent-index-creation',
      ]);
    } finally {
      await good.remove();
    }
  });

  test('works while the log is empty', async () => {
    expect(await apply(at)).toMatchObject({ exitCode: 0 });
    expect(await at.backend.alembic(['downgrade', revisions.before], at.env)).toMatchObject({ exitCode: 0 });
    expect(await objects(at.db)).toEqual(objectsBefore);
  });

  test('fails where a view was refreshed before, with nothing changed', async () => {
    await at.db.rows(`select m10_recovery.refresh_mv_tracked('mv_top_pending')`);
    const { exitCode, stderr } = await apply(at);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('NotNullViolation');
    expect(await objects(at.db)).toEqual(objectsBefore);
  });
});
