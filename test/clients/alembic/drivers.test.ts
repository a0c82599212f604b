import { afterAll, beforeAll, expect, it } from 'vitest';
import { carry, createPlace, hasModule, type Place, toolEnv } from './place.js';
import { plainEnv } from './project.js';

let place: Place;
beforeAll(async () => {
  place = await createPlace();
});
afterAll(() => place.drop());

const table = "op.execute('create table t (id int primary key)')";
it('records cursors of any kind, and connections by a name that was taken early', async () => {
  const target = await place.database();
  const project = await place.project({
    versions: {
      a: {
        head: ['from psycopg2 import connect', 'import psycopg2.extras, os'],
        up: [
          table,
          'if not context.is_offline_mode():',
          '    raw = op.get_bind().connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)',
          '    raw.execute("insert into t values (7)")',
          '    raw.execute("select id from t")',
          '    assert raw.fetchall() == [{"id": 7}]',
          '    own = connect(os.environ["DATABASE_URL"], connection_factory=psycopg2.extras.RealDictConnection)',
          '    with own, own.cursor() as cursor:',
          '        cursor.execute("create table past (i int)")',
          '        cursor.execute("select 5 as five")',
          '        assert cursor.fetchall() == [{"five": 5}]',
        ],
      },
    },
  });
  const ran = await carry(place.alembic(target.url, project), target.expected, [], 'a');
  expect(ran).toMatchObject({ kind: 'done' });
  const committed = (ran.observed?.committed ?? []).map((s) => s.sql);
  expect(committed).toContain('insert into t values (7)');
  expect(committed).toContain('create table past (i int)');
  expect(ran.observed?.connections.map((c) => [c.target, c.outside, c.lock_timeout_ms])).toEqual([
    [true, false, 2000],
    [true, true, 2000],
  ]);
});

it('knows the database of a connection that a creator makes', async () => {
  const target = await place.database();
  const project = await place.project({
    env: `import psycopg2\n${plainEnv.replace(
      'create_engine(url, ',
      'create_engine("postgresql://", creator=lambda: psycopg2.connect(url), ',
    )}`,
    versions: { a: [table] },
  });
  const ran = await carry(place.alembic(target.url, project), target.expected, [], 'a');
  expect(ran).toMatchObject({ kind: 'done', observed: { connections: [{ target: true }] } });
  expect((ran.observed?.committed ?? []).map((s) => s.sql)).toContain('create table t (id int primary key)');
});

const url = (driver: string) =>
  `os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+${driver}://")`;

it.skipIf(!hasModule('asyncpg'))('asyncpg (skipped where Python has no asyncpg)', async () => {
  const target = await place.database();
  const project = await place.project({
    env: `import asyncio, os
from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine

def work(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()

async def main():
    engine = create_async_engine(${url('asyncpg')}, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(work)
    await engine.dispose()

if context.is_offline_mode():
    context.configure(dialect_name="postgresql")
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(main())
`,
    versions: {
      a: [table],
      b: ["op.execute('insert into t values (1)')", "op.execute('insert into t values (1)')"],
    },
  });
  const alembic = place.alembic(target.url, project);
  const ran = await carry(alembic, target.expected, [], 'a');
  expect(ran).toMatchObject({
    kind: 'done',
    observed: { connections: [{ driver: 'asyncpg', target: true }] },
  });
  expect((ran.observed?.committed ?? []).map((s) => s.sql)).toContain('create table t (id int primary key)');
  const failed = await carry(alembic, target.expected, ['a'], 'b');
  expect(failed).toMatchObject({ kind: 'failed', observed: { errors: [{ sqlstate: '23505' }] } });
  expect((failed.observed?.committed ?? []).map((s) => s.sql)).not.toContain('insert into t values (1)');
});

it.skipIf(!hasModule('psycopg, sqlalchemy.dialects.postgresql.psycopg'))(
  'psycopg 3 (skipped where Python has none, or SQLAlchemy 1)',
  async () => {
    const target = await place.database();
    const project = await place.project({
      env: plainEnv.replace('url = os.environ["DATABASE_URL"]', `url = ${url('psycopg')}`),
      versions: {
        a: [
          table,
          'if not context.is_offline_mode():',
          '    op.get_bind().connection.cursor().execute("insert into t values (1)")',
        ],
      },
    });
    const ran = await carry(place.alembic(target.url, project, { env: toolEnv() }), target.expected, [], 'a');
    expect(ran).toMatchObject({
      kind: 'done',
      observed: { connections: [{ driver: 'psycopg', target: true }] },
    });
    const committed = (ran.observed?.committed ?? []).map((s) => s.sql);
    expect(committed).toContain('insert into t values (1)');
  },
);
