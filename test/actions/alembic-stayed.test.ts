import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contextOf, probe, run, sql, withClient } from '../checks/world.js';
import { plainEnv } from '../clients/alembic/project.js';
import { alone, args, createPlace, isActive, online, type Place, withEnv } from './alembic-place.js';

let place: Place;
beforeAll(async () => {
  place = await createPlace();
});
afterAll(() => place.drop());

const nothing = /nothing of it stayed/;
const fails = "op.execute('select 1/0')";
/** Reports each commit before it is sent, as the observer does. */
const committingEnv = (xid: string) => `import gc
from sqlalchemy import event
${plainEnv.replace(
  '    with engine.connect()',
  `    observer = next(o for o in gc.get_objects() if type(o).__name__ == "Observer")
    @event.listens_for(engine, "commit")
    def committing(connection):
        fields = {"connection": connection.connection.info["m10"]["id"], "target": True}
        with observer.ask():
            ${xid}
        observer.write("committing", **fields)
    with engine.connect()`,
)}`;
const withXid = [
  'cursor = connection.connection.cursor()',
  'cursor.execute("select txid_current_if_assigned()::text")',
  'fields["xid"] = cursor.fetchone()[0]',
].join('; ');

describe('a commit whose answer nobody saw', () => {
  const slowCommit = `create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(1.5); return null; end';
    create constraint trigger slow after insert on t deferrable initially deferred for each row execute function slow();`;
  const commitsFirst = ['op.execute("insert into t values (\'ada\')")', ...alone("op.execute('select 1')")];

  test.each([
    ['is not known', 'pass', /is not known: a commit was sent, and its answer was not seen \(insert into t/],
    ['is known by its transaction', withXid, /part of it stayed: 1 statement was committed, such as insert/],
  ])('%s', async (_name, xid, told) => {
    const { url, target } = await place.project(commitsFirst, {
      env: committingEnv(xid),
      prepare: slowCommit,
    });
    const { outcome, context } = await place.runUntil(target, () => isActive(url, '^commit'));
    expect(await sql(url, 'select name from t')).toEqual([{ name: 'ada' }]);
    expect(outcome.summary).toMatch(told);
    expect(outcome.summary).not.toMatch(nothing);
    expect(outcome.result).toBe(xid === 'pass' ? 'unknown' : 'failed');
    expect((await probe(place.upgrade, args, context)).kind).toBe('unknown');
  });

  test('left nothing where the version table has the old revision, which it would have changed', async () => {
    const { url, target } = await place.project(["op.execute('insert into d values (1), (1)')"], {
      env: committingEnv('pass'),
      prepare: 'create table d (id int unique deferrable initially deferred)',
    });
    const outcome = await place.run(target);
    expect(outcome.summary).toMatch(nothing);
    expect(await sql(url, 'select 1 from d')).toEqual([]);
  });
});

describe('what is beside the transaction', () => {
  test('a session in another database of the server is ended, too', async () => {
    const other = await place.database();
    const { target } = await place.project({
      head: ['import os, psycopg2'],
      up: online(
        'own = psycopg2.connect(os.environ["OTHER"], application_name="mine")',
        'own.autocommit = True',
        'own.cursor().execute("set application_name = mine")',
        'own.cursor().execute("select pg_sleep(600)")',
      ),
    });
    const { outcome } = await place.runUntil(withEnv(target, { OTHER: other.url }), () =>
      isActive(other.url, 'pg_sleep'),
    );
    expect(outcome.result).not.toBe('passed');
    expect(await isActive(other.url, 'pg_sleep')).toBe(false);
  });

  test('nobody knows what a program did that the migration started', async () => {
    const insert = "insert into t values ('by psql')";
    const { url, target } = await place.project({
      head: ['import os, subprocess'],
      up: [
        ...online(`subprocess.run(["psql", os.environ["DATABASE_URL"], "-c", "${insert}"], check=True)`),
        fails,
      ],
    });
    const outcome = await place.run(target);
    expect(await sql(url, 'select name from t')).toEqual([{ name: 'by psql' }]);
    expect(outcome.result).toBe('unknown');
    expect(outcome.summary).toMatch(/is not known: it started psql .*, whose work was not observed/);
  });

  test('a database that is no PostgreSQL was not looked at', async () => {
    const { target } = await place.project({
      head: ['import sqlalchemy'],
      up: [
        ...online(
          'with sqlalchemy.create_engine("sqlite:///beside.db").connect() as own:',
          '    own.exec_driver_sql("create table t (i int)")',
        ),
        fails,
      ],
    });
    const outcome = await place.run(target);
    expect(outcome.summary).toMatch(/it worked on a database of the kind sqlite, which was not looked at/);
    expect(outcome.result).toBe('unknown');
  });

  test('a transaction that was prepared is told, since it holds its locks', async () => {
    const { url, target } = await place.project([
      ...online(
        'op.execute("insert into t values (\'ada\')")',
        'op.execute("prepare transaction \'left over\'")',
      ),
      fails,
    ]);
    const outcome = await place.run(target);
    await sql(url, "rollback prepared 'left over'");
    expect(outcome.summary).toMatch(/the transaction 'left over' was prepared meanwhile and is still there/);
    expect(outcome.summary).not.toMatch(/committed/);
    expect(outcome.result).toBe('unknown');
  });
});

describe('what a rollback does not undo', () => {
  test.each([
    ['a sequence', "select setval('s', 41)"],
    ['a sequence within a block', "do $$ begin perform nextval('s'); end $$"],
    [
      'another connection of the server',
      `select dblink_exec('dbname=' || current_database(), 'insert into t values (1)')`,
    ],
    ['a program of the server', "copy (select 1) to program 'cat > /dev/null'"],
    ['a signal to another session', 'select pg_terminate_backend(0)'],
  ])('%s', async (_name, statement) => {
    const { target } = await place.project([`op.execute("""${statement}""")`, fails], {
      prepare: 'create sequence s; create extension dblink',
    });
    const outcome = await place.run(target);
    expect(outcome.summary).toMatch(/1 statement had effects that a rollback does not undo, such as/);
    expect(outcome.summary).toContain(statement.slice(0, 30));
    expect(outcome.summary).not.toMatch(nothing);
  });

  test('rows of a foreign table', async () => {
    const { target } = await place.project(["op.execute('insert into f values (1)')", fails], {
      prepare: `create extension postgres_fdw; create server s foreign data wrapper postgres_fdw options (dbname 'nowhere');
        create user mapping for current_user server s; create foreign table f (i int) server s`,
    });
    expect((await place.run(target)).summary).toMatch(/does not undo, such as insert into f/);
  });

  test('a notification is delivered at the commit alone', async () => {
    const { target } = await place.project(["op.execute('notify changed')", fails]);
    expect((await place.run(target)).summary).toMatch(nothing);
  });
});

describe('what ran outside of a transaction and failed', () => {
  const prepare = `create procedure work() language plpgsql as $$ begin
    insert into t values ('half'); commit; raise exception 'and no further'; end $$`;

  test.each([
    ['in an autocommit block', alone('op.execute("call work()")')],
    ['behind a COMMIT that SQLAlchemy does not know', ["op.execute('COMMIT')", 'op.execute("call work()")']],
  ])('a procedure that commits, %s', async (_name, up) => {
    const { url, target } = await place.project(up, { prepare });
    const outcome = await place.run(target);
    expect(await sql(url, 'select name from t')).toEqual([{ name: 'half' }]);
    expect(outcome.summary).toMatch(
      /part of it may have stayed, such as what it committed itself: call work\(\) ran outside/,
    );
  });

  test('an index behind such a COMMIT', async () => {
    const { url, target } = await place.project(
      ["op.execute('COMMIT')", "op.execute('create unique index concurrently i on t (name)')"],
      { prepare: "insert into t values ('twice'), ('twice')" },
    );
    const outcome = await place.run(target);
    expect(
      await sql(url, "select 1 as one from pg_index where indexrelid = 'i'::regclass and not indisvalid"),
    ).toEqual([{ one: 1 }]);
    expect(outcome.summary).toMatch(/may have stayed, such as an invalid index: create unique index/);
  });

  test('a function beside a lock counts', async () => {
    const { target } = await place.project(
      [...alone('op.execute("select fill(), pg_advisory_lock(7)")'), fails],
      {
        prepare: `create function fill() returns void language sql as $$ insert into t values ('filled') $$`,
      },
    );
    expect((await place.run(target)).summary).toMatch(/1 statement was committed, such as select fill\(\)/);
  });

  test('what failed is not called committed because a later statement was', async () => {
    const { target } = await place.project([
      ...alone(
        'try:',
        '    op.execute("insert into missing values (1)")',
        'except Exception: pass',
        'op.execute("insert into t values (\'fine\')")',
      ),
      fails,
    ]);
    const { summary } = await place.run(target);
    expect(summary).toMatch(/1 statement was committed, such as insert into t/);
    expect(summary).toMatch(/may have stayed: insert into missing/);
  });
});

describe('a report that is not whole', () => {
  /** As a disk that is full: from here on, the report has room for a few bytes only. */
  const fill = [
    'signal.signal(signal.SIGXFSZ, signal.SIG_IGN)',
    'report = max((p for p in (f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd")) if os.path.realpath(p).endswith("report.jsonl")))',
    'limit = os.stat(report).st_size + 9',
    'resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))',
  ];

  test('is no proof that nothing was committed', async () => {
    const { target } = await place.project({
      head: ['import os, psycopg2, resource, signal'],
      up: online(
        'own = psycopg2.connect(os.environ["DATABASE_URL"])',
        'own.cursor().execute("insert into t values (\'ada\')")',
        ...fill,
        'own.commit()',
      ),
    });
    const outcome = await place.run(target);
    expect(outcome.summary).not.toMatch(nothing);
    expect(outcome.result).toBe('unknown');
    expect(outcome.summary).toMatch(/its report is not complete/);
  });
});

describe('several attempts', () => {
  test('none follows one that left something, and what it left is told', async () => {
    const { url, target } = await place.project(
      {
        up: [],
        down: [...alone('op.execute("insert into t values (\'left\')")'), "op.execute('drop table u')"],
      },
      { prepare: "create table u (i int); update alembic_version set version_num = 'b'" },
    );
    await withClient(url, async (client) => {
      await client.query('begin');
      await client.query('select * from u');
      const given = { from: 'b', to: 'a', 'lock-timeout': '300ms', attempts: 3, backoff: '10ms' };
      const outcome = await run(place.downgrade, given, contextOf(target));
      expect(outcome.summary).toMatch(/1 statement was committed, such as insert into t/);
    });
    expect(await sql(url, 'select name from t')).toEqual([{ name: 'left' }]);
  });
});

test('a revision that another client wrote is not called the work of a program that was ended', async () => {
  const { url, target } = await place.project(["op.execute('select pg_sleep(600)')"]);
  const { outcome } = await place.runUntil(target, async () => {
    if (!(await isActive(url, 'pg_sleep'))) return false;
    await sql(url, "update alembic_version set version_num = 'b'");
    return true;
  });
  expect(outcome.result).toBe('failed');
  expect(outcome.summary).toMatch(/another client may have/);
});
