import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { attempt } from '../../src/clients/postgres/failure.js';
import { connect, type Database, RollbackEscaped } from '../../src/clients/postgres.js';
import { type FreshDatabase, freshDatabase } from '../support/database.js';
import { openDatabase } from './open.js';

let fresh: FreshDatabase;
let database: Database;

beforeAll(async () => {
  fresh = await freshDatabase('clients postgres');
  database = await openDatabase(fresh.url);
  await database.query('create table note (id int primary key, text text)');
});
afterAll(async () => {
  await database.close();
  await fresh.drop();
});

const count = async () =>
  (await database.rows(z.object({ n: z.int() }), 'select count(*)::int as n from note'))[0]?.n;

describe('connect', () => {
  const unreachable = (url: string) =>
    connect({ url, applicationName: 'x', statementTimeoutMs: 0, lockTimeoutMs: 0, connectTimeoutMs: 2_000 });

  it('tells what is wrong with a database that cannot be reached', async () => {
    const at = (change: (url: URL) => void) => {
      const url = new URL(fresh.url);
      change(url);
      return unreachable(url.href);
    };
    expect(await at((url) => Object.assign(url, { port: '1' }))).toMatchObject({ cause: 'network' });
    expect(await at((url) => Object.assign(url, { pathname: '/absent' }))).toMatchObject({
      cause: 'no_database',
    });
    expect(await at((url) => Object.assign(url, { hostname: 'no-such-host.invalid' }))).toMatchObject({
      cause: 'network',
    });
    expect(await unreachable('mysql://u@h/d')).toMatchObject({ cause: 'url' });
    const tls = await at((url) => url.searchParams.set('sslmode', 'require'));
    expect(tls).toMatchObject({ kind: 'unreachable', cause: 'tls', message: expect.stringContaining('TLS') });
  });

  it('refuses a wrong password by name', async () => {
    await database.query("create role wrong_password_role login password 'right'");
    try {
      const url = new URL(fresh.url);
      url.username = 'wrong_password_role';
      url.password = 'wrong';
      expect(await unreachable(url.href)).toMatchObject({ kind: 'unreachable', cause: 'authentication' });
      url.password = '';
      process.env.PGPASSWORD = 'right';
      const inherited = await unreachable(url.href);
      delete process.env.PGPASSWORD;
      expect(inherited).toMatchObject({ cause: 'authentication' });
    } finally {
      await database.query('drop role wrong_password_role');
    }
  });

  it('sets timeouts and name, and takes nothing from the environment', async () => {
    process.env.PGOPTIONS = '-c work_mem=64kB';
    process.env.PGAPPNAME = 'from the environment';
    const other = await openDatabase(fresh.url, { lockTimeoutMs: 1_234, statementTimeoutMs: 4_321 });
    delete process.env.PGOPTIONS;
    delete process.env.PGAPPNAME;
    const { rows } = await other.query(
      `select current_setting('lock_timeout') l, current_setting('statement_timeout') s,
              current_setting('application_name') a, current_setting('work_mem') w`,
    );
    expect(rows[0]).toMatchObject({ l: '1234ms', s: '4321ms', a: 'm10bot test' });
    expect(rows[0]?.w).not.toBe('64kB');
    await other.close();
  });
});

describe('query', () => {
  it('takes one statement only', async () => {
    expect(await attempt(() => database.query('select 1; select 2'))).toMatchObject({
      kind: 'sql_error',
      code: '42601',
    });
  });

  it('returns what the server refuses as a value with its SQLSTATE', async () => {
    expect(await attempt(() => database.query('select 1/0'))).toMatchObject({
      kind: 'sql_error',
      code: '22012',
      message: 'division by zero',
    });
    await expect(attempt(() => Promise.reject(new TypeError('a bug')))).rejects.toThrow('a bug');
  });

  it('tells a lost connection from a refused statement', async () => {
    const other = await openDatabase(fresh.url);
    await database.query('select pg_terminate_backend($1)', [other.backendPid]);
    expect(await attempt(() => other.query('select 1'))).toMatchObject({ kind: 'connection_lost' });
    expect(await attempt(() => other.query('select 1'))).toMatchObject({ kind: 'connection_lost' });
    await other.close();
  });
});

describe('transactions', () => {
  it('commits, and rolls back when the work throws', async () => {
    await database.transaction((tx) => tx.query("insert into note values (1, 'kept')"));
    await expect(
      database.transaction(async (tx) => {
        await tx.query("insert into note values (2, 'lost')");
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await count()).toBe(1);
  });

  it('does not call a failed transaction committed', async () => {
    await expect(database.transaction((tx) => attempt(() => tx.query('select 1/0')))).rejects.toThrow(
      /rolled back/,
    );
  });

  it('refuses writes when read only', async () => {
    const result = await attempt(() =>
      database.transaction((tx) => tx.query('delete from note'), { readOnly: true }),
    );
    expect(result).toMatchObject({ code: '25006' });
  });

  it('always rolls back, whatever happened inside', async () => {
    const before = await count();
    expect(
      await database.rolledBack(async (tx) => {
        await tx.query("insert into note values (3, 'gone')");
        return (await tx.query('select id from note where id = 3')).rows;
      }),
    ).toEqual([{ id: 3 }]);
    expect(await database.rolledBack((tx) => attempt(() => tx.query('select 1/0')))).toMatchObject({
      code: '22012',
    });
    await expect(database.rolledBack((tx) => tx.query('select 1/0'))).rejects.toBeInstanceOf(
      pg.DatabaseError,
    );
    expect(await count()).toBe(before);
  });

  it.each([
    ['commit', ['commit']],
    ['commit and a new transaction', ['commit', 'begin']],
  ])('notices a %s inside', async (_what, statements) => {
    const work = database.rolledBack(async (tx) => {
      for (const statement of statements) await tx.query(statement);
    });
    await expect(work).rejects.toBeInstanceOf(RollbackEscaped);
    const failing = database.rolledBack(async (tx) => {
      for (const statement of statements) await tx.query(statement);
      await tx.query('select 1 where $1::int = 1', ['not a number']);
    });
    await expect(failing).rejects.toThrow();
    expect(await count()).toBe(1);
  });

  it('refuses a second transaction on the same connection', async () => {
    await expect(database.transaction(() => database.rolledBack(async () => 1))).rejects.toThrow(/open/);
  });
});
