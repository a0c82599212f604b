import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Alembic, AlembicOptions, MigrateResult } from '../../src/clients/alembic.js';
import { waitGone } from '../../src/clients/postgres/activity.js';
import { readBlockers } from '../../src/clients/postgres/blockers.js';
import { readExpectedDatabase } from '../../src/clients/postgres/expected.js';
import { readRevision } from '../../src/clients/postgres/revision.js';
import type { Database } from '../../src/clients/postgres.js';
import { layoutBackend } from '../../workspace/backend/layout.js';
import { type BackendVariant, revisions } from '../../workspace/backend/variants.js';
import { type FreshDatabase, freshDatabase } from '../support/database.js';
import { createPlace, limits, type Place } from './alembic/place.js';
import { openDatabase } from './open.js';

let place: Place;
let before: FreshDatabase;

const alembicOn = (url: string, project = 'good', more: Partial<AlembicOptions> = {}): Alembic =>
  place.alembic(url, join(place.directory, project), more);

async function layout(variant: BackendVariant, sleepSeconds?: number): Promise<string> {
  const directory = join(place.directory, variant);
  await layoutBackend(
    sleepSeconds === undefined ? { directory, variant } : { directory, variant, sleepSeconds },
  );
  return variant;
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

/** Whatever Alembic makes of it: the steps are not held against anything. */
async function migrate(
  database: Database,
  alembic: Alembic,
  direction: 'upgrade' | 'downgrade',
  to: string,
  more: { lockTimeoutMs?: number; signal?: AbortSignal } = {},
): Promise<MigrateResult> {
  const stored = await readRevision(database);
  const from = stored.kind === 'at' ? [stored.revision] : [];
  const printed = await alembic.print(direction, from, to);
  const steps = printed.kind === 'printed' ? printed.steps : [];
  const target = await readExpectedDatabase(database);
  return alembic.migrate(direction, to, { ...limits, ...more, target, from, steps, files: {} });
}

beforeAll(async () => {
  place = await createPlace();
  await layout('good');
  before = await freshDatabase('alembic at 021');
  const database = await openDatabase(before.url);
  const result = await migrate(database, alembicOn(before.url), 'upgrade', revisions.before);
  await database.close();
  expect(result).toMatchObject({
    kind: 'done',
    steps: [
      { direction: 'upgrade', from: [], to: [revisions.first] },
      { from: [revisions.first], to: [revisions.matview] },
      { from: [revisions.matview], to: [revisions.before] },
    ],
  });
});
afterAll(async () => {
  await before.drop();
  await place.drop();
});

describe('reading', () => {
  it('finds the same as the table: one revision, several, none, an unknown one', async () => {
    const project = await layout('two-heads');
    await at021(async (database, url) => {
      const read = async () => {
        const result = await alembicOn(url, project).read(null);
        return result.kind === 'read' ? [...result.heads].sort() : result;
      };
      expect(await read()).toEqual([revisions.before]);
      await database.query('update alembic_version set version_num = $1', [revisions.beyond]);
      await database.query('insert into alembic_version values ($1)', [revisions.secondHead]);
      expect(await read()).toEqual([revisions.beyond, revisions.secondHead].sort());
      expect(await readRevision(database)).toMatchObject({ kind: 'several' });
      await database.query('delete from alembic_version where version_num <> $1', [revisions.beyond]);
      await database.query("update alembic_version set version_num = 'from_elsewhere'");
      expect(await read()).toMatchObject({ kind: 'unknown_revision' });
      await database.query('truncate alembic_version');
      expect(await read()).toEqual([]);
      expect(await readRevision(database)).toEqual({ kind: 'none', table: true });
      await database.query('drop table alembic_version');
      expect(await read()).toEqual([]);
      expect(await readRevision(database)).toEqual({ kind: 'none', table: false });
    });
  });

  it('tells a database that cannot be reached, and a program that is not there', async () => {
    const nowhere = new URL(before.url);
    nowhere.port = '1';
    expect(await alembicOn(nowhere.href).read(null)).toMatchObject({
      kind: 'unreachable',
      evidence: expect.stringContaining('Connection refused'),
    });
    expect(await alembicOn(before.url, 'good', { env: { PATH: '/nonexistent' } }).read(null)).toMatchObject({
      kind: 'not_started',
      evidence: expect.stringContaining('not found: alembic'),
    });
  });

  it('prints an upgrade and a downgrade without a database', async () => {
    const alembic = alembicOn('postgresql://nobody@no-such-host.invalid/none');
    expect(await alembic.print('upgrade', [revisions.before], revisions.hardening)).toMatchObject({
      kind: 'printed',
      sql: expect.stringContaining('CREATE TABLE IF NOT EXISTS m10_recovery.distributed_locks'),
      steps: [{ direction: 'upgrade', from: [revisions.before], to: [revisions.hardening] }],
      heads: [revisions.hardening],
    });
    expect(await alembic.print('downgrade', [revisions.hardening], revisions.before)).toMatchObject({
      kind: 'printed',
      steps: [{ direction: 'downgrade', from: [revisions.hardening], to: [revisions.before] }],
      heads: [revisions.before],
    });
  });

  it('refuses a revision that reads like an option or a relative step', async () => {
    await expect(alembicOn(before.url).print('downgrade', [revisions.before], '-1')).rejects.toThrow(
      /is a name/,
    );
  });
});

describe('migrating', () => {
  it('reports the SQL error of a migration that fails half-way, which leaves the revision', async () => {
    const project = await layout('fails-half-way');
    await at021(async (database, url) => {
      const result = await migrate(database, alembicOn(url, project), 'upgrade', revisions.hardening);
      expect(result).toMatchObject({ kind: 'failed', steps: [] });
      if (result.kind === 'done') throw new Error('It went through.');
      expect(result.evidence).toMatch(/psycopg2/);
      expect(result.evidence).not.toContain('[SQL:');
      expect(await readRevision(database)).toEqual({ kind: 'at', revision: revisions.before });
    });
  });

  it('gives up a downgrade behind a reader after the lock timeout, and shows the reader', async () => {
    await at021(async (database, url) => {
      await migrate(database, alembicOn(url), 'upgrade', revisions.hardening);
      const reader = await openDatabase(url, { applicationName: 'a reader' });
      await reader.query('begin');
      await reader.query('select * from m10_recovery.outbox');
      const applicationName = 'm10bot:test:downgrade';
      const alembic = alembicOn(url, 'good', { applicationName });
      const running = migrate(database, alembic, 'downgrade', revisions.before);
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
    const project = await layout('slow', 1);
    await at021(async (database, url) => {
      const results = await Promise.all([
        migrate(database, alembicOn(url, project), 'upgrade', revisions.hardening, { lockTimeoutMs: 30_000 }),
        migrate(database, alembicOn(url, project), 'upgrade', revisions.hardening, { lockTimeoutMs: 30_000 }),
      ]);
      const kinds = results.map((result) => result.kind).sort();
      // The second one meets the first at work, or finds its work done.
      expect([
        ['concurrent', 'done'],
        ['done', 'refused'],
      ]).toContainEqual(kinds);
      expect(await readRevision(database)).toEqual({ kind: 'at', revision: revisions.hardening });
    });
  });

  it('ends when stopped, and the backend is gone before the revision is read', async () => {
    const project = await layout('slow', 60);
    await at021(async (database, url) => {
      const stop = new AbortController();
      const own = { applicationName: 'm10bot:test:stopped' };
      const alembic = alembicOn(url, project, own);
      const running = migrate(database, alembic, 'upgrade', revisions.hardening, { signal: stop.signal });
      await until(async () => {
        const { rows } = await database.query(
          "select 1 from pg_stat_activity where application_name = $1 and query like 'SELECT pg_sleep%'",
          [own.applicationName],
        );
        return rows[0];
      });
      expect(await waitGone(database, own, 0)).toMatchObject({ kind: 'still_there', sessions: [own] });
      stop.abort();
      const ended = await running;
      expect(ended).toMatchObject({ kind: 'ended_early', process: { kind: 'stopped' } });
      expect(ended.observed?.committed.filter((s) => s.step !== null)).toEqual([]);
      // The sleep in the server does not notice that its client has gone.
      await database.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1',
        [own.applicationName],
      );
      expect(await waitGone(database, own, 20_000)).toEqual({ kind: 'gone' });
      expect(await readRevision(database)).toEqual({ kind: 'at', revision: revisions.before });
    });
  });
});

async function until<T>(what: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const value = await what();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error('It did not come true in 60 s.');
    await sleep(20);
  }
}
