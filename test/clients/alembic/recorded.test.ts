import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { MigrateResult } from '../../../src/clients/alembic.js';
import { carry, createPlace, hasModule, type Place } from './place.js';
import { plainEnv, type Version } from './project.js';

/** What a migration sends by ways of its drivers that few know. */
let place: Place;
beforeAll(async () => {
  place = await createPlace();
});
afterAll(() => place.drop());

const online = (lines: readonly string[]) => [
  'if not context.is_offline_mode():',
  ...lines.map((line) => `    ${line}`),
];
const committed = (ran: MigrateResult) => ran.observed?.committed ?? [];
const sqlOf = (ran: MigrateResult) => committed(ran).map((s) => s.sql);

async function run(version: Version, env?: string) {
  const target = await place.database();
  const project = await place.project({ versions: { a: version }, ...(env === undefined ? {} : { env }) });
  const ran = await carry(place.alembic(target.url, project), target.expected, [], 'a');
  return { ran, target };
}

const psycopg2 = ['c = context.get_context().connection.connection.cursor()'];

describe('what psycopg2 sends', () => {
  it('has the arguments of a call', async () => {
    const { ran } = await run(
      online([
        ...psycopg2,
        "c.execute('create function tidy(a int, b text) returns int language sql as $$ select 1 $$')",
        "c.callproc('tidy', [7, 'it''s'])",
        "c.callproc('tidy', {'a': 8, 'b': 'y'})",
      ]),
    );
    expect(ran.kind).toBe('done');
    expect(sqlOf(ran)).toContain("select * from tidy(7, 'its')");
    expect(sqlOf(ran)).toContain("select * from tidy(a := 8, b := 'y')");
  });

  it('has the digest of the rows that were copied', async () => {
    const copying = (rows: string) =>
      online([
        'import io',
        ...psycopg2,
        "c.execute('create table t (id int)')",
        `c.copy_expert('copy t from stdin', io.StringIO('${rows}'))`,
        `c.copy_from(io.BytesIO(b'${rows}'), 't')`,
      ]);
    const rowsOf = (ran: MigrateResult) =>
      committed(ran)
        .filter((s) => s.sql.startsWith('copy'))
        .map((s) => s.parameters);
    const [one, same, other] = await Promise.all(
      ['1\\n2\\n', '1\\n2\\n', '1\\n3\\n'].map((r) => run(copying(r))),
    );
    expect(one?.ran.kind).toBe('done');
    const told = [[{ type: 'data', text: expect.stringMatching(/^4 bytes, SHA-256 [0-9a-f]{64}$/) }]];
    expect(one && rowsOf(one.ran)).toEqual([told, told]);
    expect(same && rowsOf(same.ran)).toEqual(one && rowsOf(one.ran));
    expect(other && rowsOf(other.ran)).not.toEqual(one && rowsOf(one.ran));
  });
});

describe.skipIf(!hasModule('psycopg'))('what psycopg sends', () => {
  it('by cursors made past their connection, and by a copy', async () => {
    const { ran, target } = await run({
      head: ['import psycopg, os'],
      up: online([
        'c = psycopg.connect(os.environ["DATABASE_URL"])',
        "psycopg.ClientCursor(c).execute('create table t (id int)')",
        "psycopg.ClientCursor(c).executemany('insert into t values (%s)', [(5,), (6,)])",
        "with psycopg.Cursor(c).copy('copy t from stdin') as copy:",
        '    copy.write_row((7,))',
        '    copy.write("8\\n")',
        'c.commit()',
      ]),
    });
    expect(ran.kind).toBe('done');
    expect(sqlOf(ran)).toEqual(
      expect.arrayContaining(['create table t (id int)', 'insert into t values (%s)', 'copy t from stdin']),
    );
    const copy = committed(ran).find((s) => s.sql.startsWith('copy'));
    expect(copy?.parameters).toEqual([[{ type: 'data', text: expect.stringMatching(/bytes, SHA-256/) }]]);
    expect(await target.open.rows(z.unknown(), 'select id from t order by 1')).toHaveLength(4);
  });
});

describe.skipIf(!hasModule('asyncpg'))('what asyncpg sends', () => {
  it('by pools, prepared statements and cursors', async () => {
    const { ran } = await run({
      head: ['import asyncio, asyncpg, os'],
      up: [
        'async def work():',
        '    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1) as pool:',
        '        await pool.execute("create table t (id int)")',
        '        async with pool.acquire() as c:',
        '            await (await c.prepare("insert into t values ($1)")).fetch(7)',
        '            async with c.transaction():',
        '                async for row in c.cursor("delete from t returning id"): pass',
        ...online(['asyncio.run(work())']),
      ],
    });
    expect(ran.kind).toBe('done');
    expect(sqlOf(ran)).toEqual(
      expect.arrayContaining([
        'create table t (id int)',
        'insert into t values ($1)',
        'delete from t returning id',
      ]),
    );
  });
});

describe('processes that a migration starts', () => {
  it('are refused where nothing of them can be recorded', async () => {
    const { ran, target } = await run({
      head: ['import multiprocessing, time'],
      up: online([
        "op.execute('create table t (id int)')",
        'p = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0,))',
        'p.start()',
        'p.join()',
      ]),
    });
    expect(ran).toMatchObject({
      kind: 'refused',
      observed: { refused: { code: 'unobserved', name: 'multiprocessing' } },
    });
    expect(await target.open.rows(z.unknown(), "select 1 from pg_tables where tablename = 't'")).toEqual([]);
  });

  it('are recorded as their parent where they are forked', async () => {
    const { ran } = await run({
      head: [
        'import multiprocessing, psycopg2, os',
        'def work():',
        '    c = psycopg2.connect(os.environ["DATABASE_URL"])',
        '    c.cursor().execute("create table forked (id int)")',
        '    c.commit()',
      ],
      up: online([
        'p = multiprocessing.get_context("fork").Process(target=work)',
        'p.start()',
        'p.join()',
        "op.execute('create table t (id int)')",
      ]),
    });
    expect(ran.kind).toBe('done');
    expect(sqlOf(ran)).toEqual(
      expect.arrayContaining(['create table forked (id int)', 'create table t (id int)']),
    );
    const ids = ran.observed?.connections.map((c) => c.id) ?? [];
    expect(new Set(ids).size).toBe(ids.length);
  });
});

/** What the limit was, where statements ran, in their order. */
const notes = "insert into seen (v) values (current_setting('lock_timeout'))";
const limitsSeen = async ({ target }: Awaited<ReturnType<typeof run>>) =>
  (await target.open.rows(z.object({ v: z.string() }), 'select v from seen order by i')).map((r) => r.v);
const makeSeen = "op.execute('create table seen (i serial, v text)')";

describe('the lock timeout that was promised holds', () => {
  const listening = plainEnv.replace(
    'if context.is_offline_mode():',
    [
      'from sqlalchemy import event',
      'from sqlalchemy.engine import Engine',
      '@event.listens_for(Engine, "begin")',
      'def begin(c): c.exec_driver_sql("set local lock_timeout = 0")',
      'if context.is_offline_mode():',
    ].join('\n'),
  );

  it('where a listener sets another at each begin, also after a block outside of the transaction', async () => {
    const done = await run(
      [
        makeSeen,
        `op.execute("${notes}")`,
        'with op.get_context().autocommit_block():',
        `    op.execute("${notes}")`,
        `op.execute("${notes}")`,
      ],
      listening,
    );
    expect(done.ran.kind).toBe('done');
    expect(await limitsSeen(done)).toEqual(['2s', '2s', '2s']);
  });

  it('in an engine of the migration’s own, also after its session was reset', async () => {
    const done = await run(
      online([
        'import os',
        'e = sa.create_engine(os.environ["DATABASE_URL"], pool_size=1)',
        'with e.begin() as c: c.exec_driver_sql("create table seen (i serial, v text)")',
        'with e.begin() as c: c.exec_driver_sql("reset all")',
        `with e.begin() as c: c.exec_driver_sql("${notes}")`,
        'with e.begin() as c:',
        `    c.exec_driver_sql("${notes}")`,
      ]),
    );
    expect(done.ran.kind).toBe('done');
    expect(await limitsSeen(done)).toEqual(['2s', '2s']);
  });

  it.skipIf(!hasModule('asyncpg'))('in a pool of asyncpg, which resets what it lends', async () => {
    const done = await run({
      head: ['import asyncio, asyncpg, os'],
      up: [
        'async def work():',
        '    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=1) as pool:',
        '        await pool.execute("create table seen (i serial, v text)")',
        `        await pool.execute("${notes}")`,
        '        async with pool.acquire() as c:',
        `            async with c.transaction(): await c.execute("${notes}")`,
        ...online(['asyncio.run(work())']),
      ],
    });
    expect(done.ran.kind).toBe('done');
    expect(await limitsSeen(done)).toEqual(['2s', '2s']);
  });

  it('and a script that sets its own, as its SQL shows, is left to it', async () => {
    const done = await run([
      makeSeen,
      'op.execute("set local lock_timeout = \'1s\'")',
      `op.execute("${notes}")`,
    ]);
    expect(done.ran.kind).toBe('done');
    expect(await limitsSeen(done)).toEqual(['1s']);
  });

  it('and a transaction’s isolation can still be set first', async () => {
    const done = await run(
      online([
        'import os',
        'e = sa.create_engine(os.environ["DATABASE_URL"])',
        'with e.begin() as c:',
        '    c.exec_driver_sql("set transaction isolation level serializable")',
        '    c.exec_driver_sql("create table seen (i serial, v text)")',
        `    c.exec_driver_sql("${notes}")`,
      ]),
    );
    expect(done.ran.kind).toBe('done');
    expect(await limitsSeen(done)).toEqual(['2s']);
  });
});

describe('a migration that finds out by the command line that its SQL is only printed', () => {
  it.each([
    ['sys.argv', '"--sql" not in sys.argv'],
    ['sys.argv', 'sys.argv[-1] != "--sql"'],
    ['cmd_opts.sql', 'not context.config.cmd_opts.sql'],
    ['cmd_opts.sql', 'not getattr(context.config.cmd_opts, "sql", False)'],
  ])('by %s is told', async (what, condition) => {
    const target = await place.database();
    const project = await place.project({
      versions: {
        a: { head: ['import sys'], up: [`if ${condition}:`, "    op.execute('create table t (id int)')"] },
      },
    });
    const alembic = place.alembic(target.url, project);
    const printed = await alembic.print('upgrade', [], 'a');
    expect(printed).toMatchObject({ kind: 'printed', observed: { asks: [what] } });
    const ran = await carry(alembic, target.expected, [], 'a');
    expect(sqlOf(ran)).toContain('create table t (id int)');
  });
});

describe('files that a migration reads', () => {
  it.each([
    ['opened to read and write', 'open(name, "r+b").read()'],
    ['opened to append and read', 'open(name, "a+").tell()'],
    ['by a descriptor', 'os.read(os.open(name, os.O_RDWR), 9)'],
    ['mapped into memory', 'mmap.mmap(os.open(name, os.O_RDWR), 0)[:]'],
    ['as a database of SQLite', 'sqlite3.connect(name)'],
    ['as a database of SQLite by its URI', 'sqlite3.connect("file:" + name + "?mode=ro", uri=True)'],
    ['as a library', 'library(name)'],
  ])('%s are part of what is approved', async (_how, reading) => {
    const target = await place.database();
    const project = await place.project({
      versions: {
        a: [
          'import os, mmap, sqlite3, ctypes',
          'def library(name):',
          '    try: ctypes.CDLL(name)',
          '    except OSError: pass',
          'name = os.path.abspath("ids.dat")',
          reading,
        ],
      },
      files: { 'ids.dat': '1\n2\n' },
    });
    const printed = await place.alembic(target.url, project).print('upgrade', [], 'a');
    const files = 'observed' in printed ? [...(printed.observed?.files.keys() ?? [])] : [];
    expect(files).toContainEqual(expect.stringMatching(/ids\.dat$/));
  });

  it.each([
    ['made anew', 'open(name, "w+").write("x")'],
    ['only appended to', 'open(name, "a").write("x")'],
  ])('%s are not', async (_how, writing) => {
    const target = await place.database();
    const project = await place.project({
      versions: { a: ['import os', 'name = os.path.abspath("log.txt")', writing] },
      files: { 'log.txt': 'x' },
    });
    const printed = await place.alembic(target.url, project).print('upgrade', [], 'a');
    const files = 'observed' in printed ? [...(printed.observed?.files.keys() ?? [])] : [];
    expect(files).not.toContainEqual(expect.stringMatching(/log\.txt$/));
  });
});
