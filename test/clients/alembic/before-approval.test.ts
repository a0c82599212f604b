import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createPlace, hasModule, type Place, toolEnv } from './place.js';
import { plainEnv } from './project.js';

/** Nothing that is done to show people what would happen may happen to the target. */
let place: Place;
beforeAll(async () => {
  place = await createPlace();
});
afterAll(() => place.drop());

const count = z.object({ n: z.int() });

/** A table with three rows, and what is left of them. */
async function accounts() {
  const { url, open, expected } = await place.database();
  await open.query('create table accounts (id int)');
  await open.query('insert into accounts values (1), (2), (3)');
  const rows = async () => (await open.rows(count, 'select count(*)::int as n from accounts'))[0]?.n;
  return { url, open, expected, rows };
}

const psycopg2 = ['import psycopg2, os', 'c = psycopg2.connect(os.environ["DATABASE_URL"])'];
const work = (lines: readonly string[]) => [
  'async def work():',
  ...lines.map((line) => `    ${line}`),
  'asyncio.run(work())',
];

/** Ways by which upgrade() reaches the database by itself, whether or not SQL is only printed. */
const roads: readonly (readonly [string, string | null, readonly string[]])[] = [
  [
    'psql',
    null,
    [
      'import subprocess, os',
      'subprocess.run(["psql", os.environ["DATABASE_URL"], "-c", "delete from accounts"], check=True)',
    ],
  ],
  ['a shell', null, ['import os', 'os.system("psql $DATABASE_URL -c \'delete from accounts\'")']],
  ['psycopg2', null, [...psycopg2, 'c.cursor().execute("delete from accounts")', 'c.commit()']],
  [
    'psycopg2 that asks for a session that writes',
    null,
    [
      ...psycopg2,
      'c.set_session(readonly=False)',
      'c.cursor().execute("delete from accounts")',
      'c.commit()',
    ],
  ],
  [
    'an engine of its own',
    null,
    [
      'import os',
      'e = sa.create_engine(os.environ["DATABASE_URL"]).execution_options(postgresql_readonly=False)',
      'with e.begin() as c: c.execute(sa.text("delete from accounts"))',
    ],
  ],
  [
    'processes that are forked',
    null,
    [
      'import multiprocessing, psycopg2, os',
      'def drop():',
      '    c = psycopg2.connect(os.environ["DATABASE_URL"])',
      '    c.cursor().execute("delete from accounts")',
      '    c.commit()',
      'p = multiprocessing.get_context("fork").Process(target=drop)',
      'p.start()',
      'p.join()',
    ],
  ],
  [
    'processes that are started anew',
    null,
    [
      'import multiprocessing, emptying',
      'p = multiprocessing.get_context("spawn").Process(target=emptying.work)',
      'p.start()',
      'p.join()',
    ],
  ],
  [
    'a pool of asyncpg',
    'asyncpg',
    [
      'import asyncio, asyncpg, os',
      ...work([
        'async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1) as pool:',
        '    await pool.execute("delete from accounts")',
      ]),
    ],
  ],
  [
    'psycopg, asynchronously',
    'psycopg',
    [
      'import asyncio, psycopg, os',
      ...work([
        'c = await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"], autocommit=True)',
        'await c.execute("delete from accounts")',
      ]),
    ],
  ],
];

describe('printing the SQL of a migration that works past Alembic', () => {
  for (const [name, module, up] of roads) {
    it.skipIf(module !== null && !hasModule(module))(
      `by ${name}: no row goes, and people are told`,
      async () => {
        const target = await accounts();
        const project = await place.project({
          versions: { a: { up } },
          files: {
            'emptying.py': [
              'import os, psycopg2',
              'def work():',
              '    c = psycopg2.connect(os.environ["DATABASE_URL"])',
              '    c.set_session(readonly=False)',
              '    c.cursor().execute("delete from accounts")',
              '    c.commit()',
            ].join('\n'),
          },
          ini: '[alembic]\nscript_location = migrations\nprepend_sys_path = .\n',
        });
        const printed = await place.alembic(target.url, project).print('upgrade', [], 'a');
        expect(await target.rows()).toBe(3);
        expect(['unprintable', 'refused']).toContain(printed.kind);
      },
    );
  }

  it('says which road it is', async () => {
    const target = await accounts();
    const project = await place.project({ versions: { a: { up: roads[0]?.[2] ?? [] } } });
    const printed = await place.alembic(target.url, project).print('upgrade', [], 'a');
    expect(printed).toMatchObject({
      kind: 'unprintable',
      why: 'it starts psql',
      steps: [{ direction: 'upgrade', revision: 'a' }],
      observed: { programs: [expect.arrayContaining(['psql'])] },
    });
  });

  it('lets it read files and a database in a file', async () => {
    const target = await accounts();
    const project = await place.project({
      versions: {
        a: [
          'import sqlite3',
          'names = sqlite3.connect("names.db").execute("select 1").fetchall()',
          "op.execute('create table t (id int)')",
        ],
      },
    });
    const printed = await place.alembic(target.url, project).print('upgrade', [], 'a');
    expect(printed).toMatchObject({ kind: 'printed' });
  });
});

describe('asking for the revision where env.py works on the database', () => {
  const changing = "connection.execute(__import__('sqlalchemy').text('delete from accounts'))";
  const envs: readonly (readonly [string, string | null, string])[] = [
    ['by a program', null, 'os.system("psql $DATABASE_URL -c \'delete from accounts\'")\n'],
    [
      'in a session that it makes writable',
      null,
      [
        'engine = create_engine(url, poolclass=pool.NullPool).execution_options(postgresql_readonly=False)',
        'with engine.begin() as connection:',
        `    ${changing}`,
        '',
      ].join('\n'),
    ],
    [
      'after a statement that makes it writable',
      null,
      [
        'with create_engine(url, poolclass=pool.NullPool).begin() as connection:',
        '    connection.exec_driver_sql("set session characteristics as transaction read write")',
        '    connection.connection.commit()',
        `    ${changing}`,
        '',
      ].join('\n'),
    ],
    [
      'after a reset of the session',
      null,
      [
        'with create_engine(url, poolclass=pool.NullPool).begin() as connection:',
        '    connection.exec_driver_sql("reset all")',
        '    connection.connection.commit()',
        `    ${changing}`,
        '',
      ].join('\n'),
    ],
    [
      'by a pool of asyncpg',
      'asyncpg',
      [
        'import asyncio, asyncpg',
        'async def work():',
        '    async with asyncpg.create_pool(url, min_size=1) as pool:',
        '        await pool.fetchval("select 1")',
        '        await pool.execute("delete from accounts")',
        'asyncio.run(work())',
        '',
      ].join('\n'),
    ],
  ];
  for (const [name, module, lines] of envs) {
    it.skipIf(module !== null && !hasModule(module))(`${name}: no row goes`, async () => {
      const target = await accounts();
      const project = await place.project({
        env: plainEnv.replace('if context.is_offline_mode', `${lines}if context.is_offline_mode`),
        versions: { a: ["op.execute('create table t (id int)')"] },
      });
      const alembic = place.alembic(target.url, project, { env: toolEnv() });
      await alembic.read(target.expected);
      await alembic.print('upgrade', [], 'a');
      expect(await target.rows()).toBe(3);
    });
  }
});
