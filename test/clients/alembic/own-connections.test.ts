import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { carry, createPlace, hasModule, type Place, toolEnv } from './place.js';

let place: Place;
beforeAll(async () => {
  place = await createPlace();
});
afterAll(() => place.drop());

const names = z.object({ name: z.string() });
const tablesOf = `select tablename::text as name from pg_tables where schemaname = 'public' order by 1`;
const online = (lines: readonly string[]) => [
  'if not context.is_offline_mode():',
  ...lines.map((line) => `    ${line}`),
];

describe('outside of a transaction', () => {
  it('counts as made only what came to its end', async () => {
    const target = await place.database();
    const project = await place.project({
      versions: {
        a: [
          "op.execute('create table t (id int)')",
          "op.execute('insert into t values (1), (1)')",
          'with op.get_context().autocommit_block():',
          "    op.execute('create index concurrently fine on t (id)')",
          "    op.execute('create unique index concurrently broken on t (id)')",
        ],
      },
    });
    const ran = await carry(place.alembic(target.url, project), target.expected, [], 'a');
    expect(ran).toMatchObject({ kind: 'failed', observed: { errors: [{ sqlstate: '23505' }] } });
    const committed = (ran.observed?.committed ?? []).map((s) => s.sql);
    expect(committed).toContain('create index concurrently fine on t (id)');
    expect(committed).not.toContain('create unique index concurrently broken on t (id)');
    expect(ran.observed?.uncertain.map((s) => s.sql)).toEqual([
      'create unique index concurrently broken on t (id)',
    ]);
  });
});

describe.skipIf(!hasModule('asyncpg'))('connections of asyncpg that a migration makes itself', () => {
  const project = (lines: readonly string[]) =>
    place.project({
      versions: {
        a: {
          head: ['import asyncio, asyncpg, os'],
          up: [
            'async def work():',
            '    own = await asyncpg.connect(os.environ["OWN_URL"])',
            ...lines.map((line) => `    ${line}`),
            '    await own.close()',
            ...online(['asyncio.run(work())']),
          ],
        },
      },
    });

  it('hold the lock timeout, and what they commit is known', async () => {
    const target = await place.database();
    const directory = await project([
      'await own.execute("create table past (i int)")',
      'async with own.transaction():',
      '    await own.execute("insert into past values ($1)", 7)',
      'try:',
      '    async with own.transaction():',
      '        await own.execute("insert into past values (8)")',
      '        raise KeyError',
      'except KeyError: pass',
    ]);
    const alembic = place.alembic(target.url, directory, { env: toolEnv({ OWN_URL: target.url }) });
    const ran = await carry(alembic, target.expected, [], 'a');
    expect(ran).toMatchObject({ kind: 'done' });
    expect(ran.observed?.connections.find((c) => c.driver === 'asyncpg')).toMatchObject({
      target: true,
      outside: true,
      lock_timeout_ms: 2000,
      application_name: expect.stringMatching(/^m10bot:test/),
    });
    const committed = (ran.observed?.committed ?? []).map((s) => s.sql);
    expect(committed).toContain('create table past (i int)');
    expect(committed).toContain('insert into past values ($1)');
    expect(committed).not.toContain('insert into past values (8)');
  });

  it('cannot change another database', async () => {
    const [target, other] = [await place.database(), await place.database()];
    const directory = await project(['await own.execute("create table past (i int)")']);
    const alembic = place.alembic(target.url, directory, { env: toolEnv({ OWN_URL: other.url }) });
    expect(await carry(alembic, target.expected, [], 'a')).toMatchObject({ kind: 'read_only_elsewhere' });
    expect(await other.open.rows(names, tablesOf)).toEqual([]);
  });
});

describe.skipIf(!hasModule('psycopg'))('connections of psycopg 3 that a migration makes itself', () => {
  const project = (lines: readonly string[]) =>
    place.project({
      versions: {
        a: { head: ['import asyncio, psycopg, os'], up: online([...lines, "op.execute('select 1/0')"]) },
      },
    });

  it('are known by what their transactions commit', async () => {
    const target = await place.database();
    const directory = await project([
      'own = psycopg.connect(os.environ["OWN_URL"], autocommit=True)',
      'with own.transaction():',
      '    own.execute("create table past (i int)")',
      'with own.transaction():',
      '    own.execute("insert into past values (1)")',
      '    raise psycopg.Rollback()',
      'own.execute("insert into past values (2)")',
      'own.close()',
    ]);
    const alembic = place.alembic(target.url, directory, { env: toolEnv({ OWN_URL: target.url }) });
    const ran = await carry(alembic, target.expected, [], 'a');
    expect(ran).toMatchObject({ kind: 'failed', observed: { errors: [{ sqlstate: '22012' }] } });
    const committed = (ran.observed?.committed ?? []).map((s) => s.sql);
    expect(committed).toContain('create table past (i int)');
    expect(committed).toContain('insert into past values (2)');
    expect(committed).not.toContain('insert into past values (1)');
  });

  it('are refused when they are asynchronous, since what they send is not seen', async () => {
    const target = await place.database();
    const directory = await project([
      'async def work():',
      '    own = await psycopg.AsyncConnection.connect(os.environ["OWN_URL"], autocommit=True)',
      '    await own.execute("create table past (i int)")',
      'asyncio.run(work())',
    ]);
    const alembic = place.alembic(target.url, directory, { env: toolEnv({ OWN_URL: target.url }) });
    const ran = await carry(alembic, target.expected, [], 'a');
    expect(ran).toMatchObject({ kind: 'refused', observed: { refused: { code: 'unobserved' } } });
    expect(await target.open.rows(names, tablesOf)).toEqual([]);
  });
});
