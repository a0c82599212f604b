import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Alembic, type AlembicOptions, createAlembic } from '../../src/clients/alembic.js';
import { waitGone } from '../../src/clients/postgres/activity.js';
import { readBlockers } from '../../src/clients/postgres/blockers.js';
import { readRevision } from '../../src/clients/postgres/revision.js';
import type { Database } from '../../src/clients/postgres.js';
import { createProcesses } from '../../src/clients/process.js';
import { layoutBackend } from '../../workspace/backend/layout.js';
import { type BackendVariant, revisions } from '../../workspace/backend/variants.js';
import { type FreshDatabase, freshDatabase } from '../support/database.js';
import { openDatabase } from './open.js';

const limits = { lockTimeoutMs: 2_000, timeoutMs: 60_000 };
let directory: string;
let before: FreshDatabase;
let next = 0;

function alembicOn(url: string, project = 'good', more: Partial<AlembicOptions> = {}): Alembic {
  next += 1;
  return createAlembic({
    processes: createProcesses({ directory: join(directory, 'children') }),
    directory: join(directory, project),
    env: { PATH: inject('toolPath'), PYTHONPATH: '.' },
    databaseUrl: url,
    applicationName: `m10bot:test:${next}`,
    id: `test/${next}`,
    ...more,
  });
}

/** A database at 021, as every deployment is before the migration. */
async function at021<T>(work: (database: Database, url: string) => Promise<T>): Promise<T> {
  const fresh = await freshDatabase('alembic', { template: before.name });
  const database = await openDatabase(fresh.url);
  try {
    return await work(database, fresh.url);
  } finally {
    await database.close();
    await fresh.drop();
  }
}

async function layout(variant: BackendVariant): Promise<string> {
  await layoutBackend({ directory: join(directory, variant), variant });
  return variant;
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'm10-alembic-'));
  await layout('good');
  before = await freshDatabase('alembic at 021');
  const result = await alembicOn(before.url).upgrade(revisions.before, limits);
  expect(result).toMatchObject({
    kind: 'done',
    ran: [
      { direction: 'upgrade', from: null, to: revisions.first },
      { from: revisions.first, to: revisions.matview },
      { from: revisions.matview, to: revisions.before },
    ],
  });
});
afterAll(async () => {
  await before.drop();
  rmSync(directory, { recursive: true, force: true });
});

describe('reading', () => {
  it('says the same as the table, with and without a suffix', async () => {
    await at021(async (database, url) => {
      const alembic = alembicOn(url);
      expect(await alembic.current()).toEqual({ kind: 'at', revision: revisions.before });
      expect(await readRevision(database)).toEqual({ kind: 'at', revision: revisions.before });
      await database.query('update alembic_version set version_num = $1', [revisions.beyond]);
      expect(await alembic.current()).toEqual({ kind: 'at', revision: revisions.beyond });
    });
  });

  it('tells no revision, several, an unknown one and no database apart', async () => {
    await at021(async (database, url) => {
      const alembic = alembicOn(url, await layout('two-heads'));
      await database.query('update alembic_version set version_num = $1', [revisions.beyond]);
      await database.query('insert into alembic_version values ($1)', [revisions.secondHead]);
      expect(await alembic.current()).toEqual({
        kind: 'several',
        revisions: expect.arrayContaining([revisions.beyond, revisions.secondHead]),
      });
      expect(await readRevision(database)).toMatchObject({ kind: 'several' });
      await database.query('delete from alembic_version where version_num <> $1', [revisions.beyond]);
      await database.query("update alembic_version set version_num = 'from_elsewhere'");
      expect(await alembic.current()).toMatchObject({
        kind: 'unknown_revision',
        evidence: "FAILED: Can't locate revision identified by 'from_elsewhere'",
      });
      await database.query('truncate alembic_version');
      expect(await alembic.current()).toEqual({ kind: 'none' });
      expect(await readRevision(database)).toEqual({ kind: 'none', table: true });
      await database.query('drop table alembic_version');
      expect(await readRevision(database)).toEqual({ kind: 'none', table: false });
      expect(await alembic.upgrade('head', limits)).toMatchObject({ kind: 'several_heads' });
      const heads = await alembic.heads();
      expect(heads).toEqual({ kind: 'heads', revisions: expect.arrayContaining([revisions.secondHead]) });
    });
    const nowhere = new URL(before.url);
    nowhere.port = '1';
    expect(await alembicOn(nowhere.href).current()).toMatchObject({
      kind: 'unreachable',
      evidence: expect.stringContaining('Connection refused'),
    });
  });

  it('lists what would run, without the revision that it starts from', async () => {
    const history = await alembicOn(before.url).history(revisions.before, revisions.beyond);
    if (history.kind !== 'history') throw new Error(history.evidence);
    expect(history.revisions.map((entry) => entry.revision)).toEqual([revisions.hardening, revisions.beyond]);
    const [first] = history.revisions;
    expect(first?.parents).toEqual([revisions.before]);
    expect(first?.sha256).toBe(
      createHash('sha256')
        .update(readFileSync(join(directory, 'good/migrations/versions', `${revisions.hardening}.py`)))
        .digest('hex'),
    );
    const all = await alembicOn(before.url).history(null, revisions.first);
    expect(all).toMatchObject({ revisions: [{ revision: revisions.first, parents: [] }] });
    expect(await alembicOn(before.url).script('nowhere')).toMatchObject({ kind: 'unknown_revision' });
    expect(await alembicOn(before.url).script('022')).toMatchObject({
      script: { revision: revisions.hardening, path: expect.stringContaining('versions/022') },
    });
  });

  it('gives the SQL of an upgrade and a downgrade without a database', async () => {
    const alembic = alembicOn('postgresql://nobody@no-such-host.invalid/none');
    const up = await alembic.sql(revisions.before, revisions.hardening);
    expect(up).toMatchObject({
      kind: 'sql',
      sql: expect.stringContaining('CREATE TABLE IF NOT EXISTS m10_recovery.distributed_locks'),
      steps: [{ direction: 'upgrade', from: revisions.before, to: revisions.hardening }],
      shape: { transactions: 1, outside: [], concurrent: [] },
    });
    expect(await alembic.downgradeSql(revisions.hardening, revisions.before)).toMatchObject({
      kind: 'sql',
      steps: [{ direction: 'downgrade', from: revisions.hardening, to: revisions.before }],
    });
  });

  it('finds the statements that leave the transaction', async () => {
    const alembic = alembicOn(before.url, await layout('autocommit-block'));
    const result = await alembic.sql(revisions.before, revisions.hardening);
    if (result.kind !== 'sql') throw new Error(result.evidence);
    expect(result.shape.transactions).toBeGreaterThan(1);
    expect(result.shape.outside.length).toBeGreaterThan(0);
    expect(result.shape.concurrent[0]?.text).toMatch(/concurrently/i);
  });

  it('says that the program is missing', async () => {
    const alembic = alembicOn(before.url, 'good', { env: { PATH: '/nonexistent' } });
    expect(await alembic.current()).toMatchObject({
      kind: 'not_started',
      evidence: expect.stringContaining('not found: alembic'),
    });
  });

  it('refuses a revision that reads like an option or a relative step', async () => {
    await expect(alembicOn(before.url).downgrade('-1', limits)).rejects.toThrow(/is a name/);
  });
});

describe('migrating', () => {
  it('goes up, is a silent no-op at and past the target, and goes down past it', async () => {
    await at021(async (database, url) => {
      const ran = { kind: 'done', ran: [{ from: revisions.before, to: revisions.hardening }] };
      expect(await alembicOn(url).upgrade(revisions.hardening, limits)).toMatchObject(ran);
      expect(await alembicOn(url).upgrade(revisions.hardening, limits)).toMatchObject({
        kind: 'done',
        ran: [],
      });
      await alembicOn(url).upgrade(revisions.beyond, limits);
      expect(await alembicOn(url).upgrade(revisions.hardening, limits)).toMatchObject({
        kind: 'done',
        ran: [],
      });
      expect(await readRevision(database)).toEqual({ kind: 'at', revision: revisions.beyond });
      expect(await alembicOn(url).downgrade(revisions.before, limits)).toMatchObject({
        kind: 'done',
        ran: [
          { direction: 'downgrade', from: revisions.beyond, to: revisions.hardening },
          { direction: 'downgrade', from: revisions.hardening, to: revisions.before },
        ],
      });
    });
  });

  it('reports the SQL error of a migration that fails half-way, which leaves the revision', async () => {
    const project = await layout('fails-half-way');
    await at021(async (database, url) => {
      const result = await alembicOn(url, project).upgrade(revisions.hardening, limits);
      expect(result).toMatchObject({ kind: 'failed', announced: [{ to: revisions.hardening }] });
      if (result.kind === 'done') throw new Error('It went through.');
      expect(result.evidence).toMatch(/psycopg2/);
      expect(result.evidence).not.toContain('[SQL:');
      expect(await readRevision(database)).toEqual({ kind: 'at', revision: revisions.before });
    });
  });

  it('gives up a downgrade behind a reader after the lock timeout, and shows the reader', async () => {
    await at021(async (database, url) => {
      await alembicOn(url).upgrade(revisions.hardening, limits);
      const reader = await openDatabase(url, { applicationName: 'a reader' });
      await reader.query('begin');
      await reader.query('select * from m10_recovery.outbox');
      const applicationName = 'm10bot:test:downgrade';
      const running = alembicOn(url, 'good', { applicationName }).downgrade(revisions.before, limits);
      const blocked = await until(async () => {
        const [session] = await readBlockers(database, { applicationName });
        return session;
      });
      expect(blocked).toMatchObject({
        applicationName,
        waitsFor: [{ mode: 'AccessExclusiveLock', relation: 'm10_recovery.outbox' }],
        by: [
          {
            pid: reader.backendPid,
            applicationName: 'a reader',
            state: 'idle in transaction',
            query: 'select * from m10_recovery.outbox',
            holds: [{ mode: 'AccessShareLock', relation: 'm10_recovery.outbox', type: 'relation' }],
            waiting: false,
          },
        ],
      });
      expect(await running).toMatchObject({
        kind: 'lock_timeout',
        evidence: expect.stringContaining('LockNotAvailable'),
      });
      expect(await readRevision(database)).toEqual({ kind: 'at', revision: revisions.hardening });
      await reader.close();
    });
  });

  it('lets one of two upgrades through', async () => {
    const project = 'slow';
    await layoutBackend({ directory: join(directory, project), variant: 'slow', sleepSeconds: 1 });
    await at021(async (database, url) => {
      const results = await Promise.all([
        alembicOn(url, project).upgrade(revisions.hardening, { ...limits, lockTimeoutMs: 0 }),
        alembicOn(url, project).upgrade(revisions.hardening, { ...limits, lockTimeoutMs: 0 }),
      ]);
      expect(results.map((result) => result.kind).sort()).toEqual(['concurrent', 'done']);
      expect(await readRevision(database)).toEqual({ kind: 'at', revision: revisions.hardening });
    });
  });

  it('ends when stopped, and the backend is gone before the revision is read', async () => {
    const project = 'slow-stopped';
    await layoutBackend({ directory: join(directory, project), variant: 'slow', sleepSeconds: 60 });
    await at021(async (database, url) => {
      const stop = new AbortController();
      const applicationName = 'm10bot:test:stopped';
      const alembic = alembicOn(url, project, { applicationName });
      const running = alembic.upgrade(revisions.hardening, { ...limits, signal: stop.signal });
      await until(async () => {
        const { rows } = await database.query('select 1 from pg_stat_activity where application_name = $1', [
          applicationName,
        ]);
        return rows[0];
      });
      expect(await waitGone(database, applicationName, 0)).toMatchObject({
        kind: 'still_there',
        sessions: [{ applicationName }],
      });
      stop.abort();
      expect(await running).toMatchObject({ kind: 'ended_early', process: { kind: 'stopped' } });
      // The sleep in the server does not notice that its client has gone.
      await database.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1',
        [applicationName],
      );
      expect(await waitGone(database, applicationName, 20_000)).toEqual({ kind: 'gone' });
      expect(await readRevision(database)).toEqual({ kind: 'at', revision: revisions.before });
    });
  });
});

async function until<T>(what: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const value = await what();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error('It did not come true in 20 s.');
    await sleep(20);
  }
}
