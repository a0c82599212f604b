import { createHash } from 'node:crypto';
import { chmod, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { z } from 'zod';
import { headsAfter } from '../../../src/clients/alembic/heads.js';
import { readRevision } from '../../../src/clients/postgres/revision.js';
import { carry, createPlace, limits, type Place } from './place.js';
import { plainEnv, scriptOf } from './project.js';

const anyRow = z.unknown();
let place: Place;
beforeAll(async () => {
  place = await createPlace();
});
afterAll(() => place.drop());

const table = ["op.execute('create table t (id int primary key, note text)')"];
const sqlOf = (result: { observed: { statements: readonly { sql: string }[] } | null }) =>
  (result.observed?.statements ?? []).map((s) => s.sql.replace(/\s+/g, ' ').trim());
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('which database', () => {
  it('refuses before the first statement where a .env file wins over DATABASE_URL', async () => {
    const [target, other] = [await place.database(), await place.database()];
    const project = await place.project({
      env: plainEnv.replace('os.environ["DATABASE_URL"]', 'open(".env").read().strip()'),
      versions: { a: table },
      files: { '.env': other.url },
    });
    const alembic = place.alembic(target.url, project);
    const read = await alembic.read(target.expected);
    expect(read.observed?.connections).toMatchObject([{ target: false, database: other.expected.database }]);
    const ran = await carry(alembic, target.expected, [], 'a');
    expect(ran).toMatchObject({ kind: 'refused', observed: { refused: { code: 'other_database' } } });
    for (const { open } of [target, other]) {
      expect(await open.rows(anyRow, "select 1 from pg_tables where schemaname = 'public'")).toEqual([]);
    }
  });

  it('sees two databases that are migrated one after the other', async () => {
    const [one, two] = [await place.database(), await place.database()];
    const project = await place.project({
      env: `import os
from alembic import context
from sqlalchemy import create_engine, pool
for url in (os.environ["DATABASE_URL"], os.environ["SECOND_URL"]):
    with create_engine(url, poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
`,
      versions: { a: table },
    });
    const env = { PATH: inject('toolPath'), SECOND_URL: two.url };
    const alembic = place.alembic(one.url, project, { env });
    const read = await alembic.read(one.expected);
    expect(read.observed?.connections.map((c) => c.target)).toEqual([true, false]);
    expect(read.observed?.contexts).toHaveLength(2);
  });

  it('reads another database and never changes it', async () => {
    const [target, other] = [await place.database(), await place.database()];
    await other.open.query('create table settings (v int)');
    const meddling = (sql: string) => `${plainEnv}
with create_engine(os.environ["OTHER"], poolclass=pool.NullPool).connect() as c:
    c.exec_driver_sql("${sql}")
    c.connection.commit()
`;
    const env = { PATH: inject('toolPath'), OTHER: other.url };
    const reading = await place.project({ env: meddling('select * from settings'), versions: { a: table } });
    const alembic = place.alembic(target.url, reading, { env });
    const ran = await carry(alembic, target.expected, [], 'a');
    expect(ran).toMatchObject({ kind: 'done' });
    const writing = await place.project({
      env: meddling('insert into settings values (1)'),
      versions: { a: table },
    });
    const next = await place.database();
    const bad = await place
      .alembic(next.url, writing, { env })
      .migrate('upgrade', 'a', { ...limits, target: next.expected, from: [], steps: [up('a')], files: {} });
    expect(bad).toMatchObject({ kind: 'read_only_elsewhere' });
    expect(await other.open.rows(anyRow, 'select 1 from settings')).toEqual([]);
  });
});

describe('the session that does the work', () => {
  it('holds the lock timeout and carries the name, whatever env.py sets of its own', async () => {
    const target = await place.database();
    const project = await place.project({
      env: plainEnv.replace(
        'poolclass=pool.NullPool)',
        'poolclass=pool.NullPool, connect_args={"options": "-csearch_path=app,public", "application_name": "own"})',
      ),
      versions: { a: table, b: ["op.execute('alter table t add column more int')"] },
    });
    const alembic = place.alembic(target.url, project);
    expect(await carry(alembic, target.expected, [], 'a')).toMatchObject({ kind: 'done' });
    const reader = await place.database();
    await reader.open.close();
    await target.open.query('begin');
    await target.open.query('select * from t');
    const printed = await alembic.print('upgrade', ['a'], 'b');
    const ran = await alembic.migrate('upgrade', 'b', {
      ...limits,
      lockTimeoutMs: 300,
      target: target.expected,
      from: ['a'],
      steps: printed.kind === 'printed' ? printed.steps : [],
      files: {},
    });
    await target.open.query('rollback');
    expect(ran).toMatchObject({ kind: 'lock_timeout' });
    expect(ran.observed?.connections[0]).toMatchObject({
      lock_timeout_ms: 300,
      application_name: expect.stringMatching(/^m10bot:test/),
    });
    expect(ran.observed?.committed).toEqual([]);
  });

  it('refuses where a pooler gives the session another backend in between', async () => {
    const target = await place.database();
    // What a transaction pooler does, as seen from inside: the pid is another one at the next transaction.
    const project = await place.project({
      env: plainEnv.replace(
        'context.configure(connection=connection)',
        'context.configure(connection=connection)\n        connection.connection.info["m10"]["pid"] = 1',
      ),
      versions: { a: table },
    });
    const ran = await carry(place.alembic(target.url, project), target.expected, [], 'a');
    expect(ran).toMatchObject({ kind: 'refused', observed: { refused: { code: 'other_session' } } });
    expect(await readRevision(target.open)).toMatchObject({ kind: 'none' });
  });

  it('refuses another revision and other steps than approved', async () => {
    const target = await place.database();
    const project = await place.project({ versions: { a: table, b: [] } });
    const alembic = place.alembic(target.url, project);
    const given = { ...limits, target: target.expected, files: {} };
    const moved = await alembic.migrate('upgrade', 'b', { ...given, from: ['a'], steps: [up('b')] });
    expect(moved.observed?.refused).toMatchObject({ code: 'other_revision', found: [], expected: ['a'] });
    const other = place.alembic(target.url, project);
    const more = await other.migrate('upgrade', 'b', { ...given, from: [], steps: [up('b')] });
    expect(more.observed?.refused).toMatchObject({ code: 'other_steps' });
    expect(await readRevision(target.open)).toMatchObject({ kind: 'none' });
  });
});

describe('where the revision is kept', () => {
  it.each([
    ['a schema and a name of its own', '', 'version_table="v", version_table_schema="ops"', 'ops', 'v'],
    [
      'the first schema of a search path',
      'connect_args={"options": "-csearch_path=ops"}',
      '',
      'ops',
      'alembic_version',
    ],
  ])('%s', async (_name, engine, configure, schema, name) => {
    const target = await place.database();
    await target.open.query('create schema ops');
    const project = await place.project({
      env: plainEnv
        .replace('poolclass=pool.NullPool)', `poolclass=pool.NullPool, ${engine})`)
        .replaceAll('context.configure(', `context.configure(${configure}${configure === '' ? '' : ', '}`),
      versions: { a: table },
    });
    const alembic = place.alembic(target.url, project);
    expect((await alembic.read(target.expected)).observed?.contexts[0]?.place).toEqual({
      schema,
      table: name,
      exists: false,
    });
    expect(await carry(alembic, target.expected, [], 'a')).toMatchObject({ kind: 'done' });
    expect(await readRevision(target.open, { schema, table: name })).toEqual({ kind: 'at', revision: 'a' });
  });
});

describe('what is executed', () => {
  it('is recorded also past SQLAlchemy, with its commits', async () => {
    const target = await place.database();
    const project = await place.project({
      versions: {
        a: [
          ...table,
          'op.bulk_insert(sa.table("t", sa.column("id", sa.Integer), sa.column("note", sa.Text)), [{"id": 1, "note": "o\'k"}, {"id": 2, "note": None}])',
          'if not context.is_offline_mode():',
          '    raw = op.get_bind().connection',
          '    raw.cursor().execute("delete from t where id = 2")',
          '    import io, psycopg2, os',
          '    raw.cursor().copy_expert("copy t from stdin", io.StringIO("3\\tx\\n"))',
          '    own = psycopg2.connect(os.environ["DATABASE_URL"])',
          '    own.cursor().execute("create table past_alembic (i int)")',
          '    own.commit()',
        ],
      },
    });
    const alembic = place.alembic(target.url, project);
    const printed = await alembic.print('upgrade', [], 'a');
    expect(printed.observed?.asks).toEqual(['is_offline_mode']);
    const ran = await carry(alembic, target.expected, [], 'a');
    expect(ran).toMatchObject({ kind: 'done' });
    const sql = sqlOf(ran);
    // SQLAlchemy sends the rows of a bulk insert in one statement or in several, by version.
    expect(sql.join('\n')).toMatch(/INSERT INTO t \(id, note\) VALUES \(1, 'o''k'\)/);
    expect(sql.join('\n')).toMatch(/\(2, NULL\)/);
    expect(sql).toContain('delete from t where id = 2');
    expect(sql).toContain('copy t from stdin');
    expect(sql).toContain('create table past_alembic (i int)');
    const committed = (ran.observed?.committed ?? []).map((s) => s.sql);
    expect(committed).toContain('create table past_alembic (i int)');
    expect(committed).toContain('delete from t where id = 2');
  });

  it('counts as committed only what was', async () => {
    const target = await place.database();
    const project = await place.project({
      versions: {
        a: [
          ...table,
          'with op.get_context().autocommit_block():',
          '    op.execute("create index concurrently i on t (note)")',
          'op.execute("insert into t values (1)")',
          'op.execute("insert into t values (1)")',
        ],
      },
    });
    const ran = await carry(place.alembic(target.url, project), target.expected, [], 'a');
    expect(ran).toMatchObject({ kind: 'failed', observed: { errors: [{ sqlstate: '23505' }] } });
    const committed = (ran.observed?.committed ?? []).map((s) => s.sql);
    expect(committed).toContain('create index concurrently i on t (note)');
    expect(committed).not.toContain('insert into t values (1)');
  });

  it('names programs that Alembic starts', async () => {
    const target = await place.database();
    const project = await place.project({
      versions: { a: ['import subprocess', 'subprocess.run(["true", "psql"])'] },
    });
    const printed = await place.alembic(target.url, project).print('upgrade', [], 'a');
    expect(printed.observed?.programs).toEqual([['true', 'psql']]);
  });
});

describe('what is printed', () => {
  it('is the SQL alone, whatever else is written to standard output', async () => {
    const noisy = `print('{"level": "INFO", "msg": "starting"}')
import logging, sys
logging.basicConfig(stream=sys.stdout, level=logging.DEBUG, format='{"message": "%(message)s"}')
${plainEnv}`;
    const target = await place.database();
    const project = await place.project({ env: noisy, versions: { a: table } });
    const printed = await place.alembic(target.url, project).print('upgrade', [], 'a');
    if (printed.kind !== 'printed') throw new Error(printed.kind);
    expect(printed.steps).toEqual([up('a')]);
    expect(printed.sql).toContain('create table t');
    expect(printed.sql).not.toContain('level');
    expect(printed.sql).not.toContain('message');
    const read = await place.alembic(target.url, project).read(target.expected);
    expect(read).toMatchObject({ kind: 'read', heads: [] });
    expect(await carry(place.alembic(target.url, project), target.expected, [], 'a')).toMatchObject({
      kind: 'done',
      steps: [up('a')],
    });
  });

  it('is told to be impossible where a migration asks the database, and its steps are known', async () => {
    const target = await place.database();
    const project = await place.project({
      versions: { a: ['rows = op.get_bind().execute(sa.text("select 1")).fetchall()'] },
    });
    const printed = await place.alembic(target.url, project).print('upgrade', [], 'a');
    expect(printed).toMatchObject({ kind: 'unprintable', steps: [up('a')] });
    expect(await carry(place.alembic(target.url, project), target.expected, [], 'a')).toMatchObject({
      kind: 'done',
    });
  });

  it('covers merges and several heads', async () => {
    const target = await place.database();
    const project = await place.project({
      versions: {
        a: table,
        b: [],
        c: { up: [], after: '"a"' },
        d: { up: ["op.execute('alter table t add column more int')"], after: '("b", "c")' },
      },
    });
    const alembic = place.alembic(target.url, project);
    for (const [from, to] of [
      [[], 'a'],
      [['a'], 'b'],
      [['b'], 'c'],
    ] as const) {
      expect(await carry(alembic, target.expected, from, to)).toMatchObject({ kind: 'done' });
    }
    expect(await readRevision(target.open)).toEqual({ kind: 'several', revisions: ['b', 'c'] });
    const printed = await alembic.print('upgrade', ['b', 'c'], 'd');
    if (printed.kind !== 'printed') throw new Error(printed.kind);
    expect(printed).toMatchObject({ heads: ['d'], steps: [{ revision: 'd', from: ['b', 'c'] }] });
    expect(printed.sql).toContain('add column more');
    const scripts = printed.observed?.scripts?.revisions ?? [];
    expect(headsAfter(['b', 'c'], printed.steps, scripts)).toEqual(['d']);
    expect(await carry(alembic, target.expected, ['b', 'c'], 'd')).toMatchObject({ kind: 'done' });
    const down = await alembic.print('downgrade', ['d'], 'b');
    expect(headsAfter(['d'], down.kind === 'printed' ? down.steps : [], scripts)).toEqual(['b', 'c']);
  });
});

describe('which files', () => {
  it('are read, wherever they lie and whatever they are called', async () => {
    const target = await place.database();
    const outside = await place.project({
      versions: { a: [`op.execute(open("${place.directory}/shared.tmpl").read())`] },
    });
    await writeFile(join(place.directory, 'shared.tmpl'), 'create table t (id int)');
    const project = join(place.directory, 'linked');
    await mkdir(project);
    await writeFile(join(project, 'alembic.ini'), `[alembic]\nscript_location = ${outside}/migrations\n`);
    await rename(`${outside}/migrations/versions`, join(place.directory, 'config-map'));
    await symlink(join(place.directory, 'config-map'), `${outside}/migrations/versions`);
    const alembic = place.alembic(target.url, project);
    const printed = await alembic.print('upgrade', [], 'a');
    const digests = new Map([...(printed.observed?.files ?? [])].map(([p, f]) => [p, f.sha256]));
    expect(digests.get(join(place.directory, 'shared.tmpl'))).toBe(sha256('create table t (id int)'));
    expect([...digests.keys()].some((path) => path.endsWith('versions/a.py'))).toBe(true);

    const files = Object.fromEntries(digests);
    await writeFile(join(place.directory, 'shared.tmpl'), 'create table t (id int); drop table if exists u');
    const ran = await alembic.migrate('upgrade', 'a', {
      ...limits,
      target: target.expected,
      from: [],
      steps: [up('a')],
      files,
    });
    expect(ran).toMatchObject({
      kind: 'refused',
      observed: { refused: { code: 'file_changed', path: join(place.directory, 'shared.tmpl') } },
    });
    expect(await readRevision(target.open)).toMatchObject({ kind: 'none' });
  });

  it('are compiled from their source: an older compiled file never runs', async () => {
    const target = await place.database();
    const project = await place.project({ versions: { a: table } });
    const script = join(project, 'migrations/versions/a.py');
    // Compiled by a plain Alembic, with the time and size that the edited file will have, too.
    const first = scriptOf('a', null, table);
    const edited = first.replace('create table t (id', 'create table u (id');
    const when = new Date('2026-01-01T00:00:00Z');
    await utimes(script, when, when);
    const compile = `import py_compile; py_compile.compile("${script}")`;
    await place.processes.run({
      id: 'compile',
      argv: ['python3', '-c', compile],
      cwd: project,
      env: { PATH: inject('toolPath') },
      timeoutMs: 60_000,
    });
    await writeFile(script, edited);
    await utimes(script, when, when);
    const printed = await place.alembic(target.url, project).print('upgrade', [], 'a');
    expect(printed.kind === 'printed' && printed.sql).toContain('create table u');
  });
});

describe('how Alembic is started', () => {
  it.each([
    ['a shell script', '#!/bin/sh\nexport EXTRA=1\nexec python3 -m alembic "$@"\n', true],
    ['a Python that ignores its environment', '#!/bin/sh\nexec python3 -E -m alembic "$@"\n', false],
  ])('through %s', async (_name, text, observed) => {
    const target = await place.database();
    const project = await place.project({
      versions: { a: table },
      ini: '[alembic]\nscript_location = db\n',
      location: 'db',
    });
    const bin = join(project, 'bin');
    await mkdir(bin, { recursive: true });
    await writeFile(join(bin, 'alembic'), text);
    await chmod(join(bin, 'alembic'), 0o755);
    const env = { PATH: `${bin}:${inject('toolPath')}` };
    const alembic = place.alembic(target.url, project, { env });
    const ran = await carry(alembic, target.expected, [], 'a');
    expect(ran).toMatchObject({ kind: 'done' });
    expect(ran.observed !== null).toBe(observed);
    expect(await readRevision(target.open)).toEqual({ kind: 'at', revision: 'a' });
  });

  it('keeps the team’s PYTHONPATH, and gives programs below Alembic the environment as it was', async () => {
    const target = await place.database();
    const project = await place.project({
      env: `import helper_of_ours, subprocess, os
subprocess.run(["python3", "-c", "import os, helper_of_ours; open('seen', 'w').write(os.environ['PYTHONPATH'] + str('M10_OBSERVE' in os.environ))"], check=True)
${plainEnv}`,
      versions: { a: [] },
      files: { 'lib/helper_of_ours.py': '' },
    });
    const lib = join(project, 'lib');
    const env = { PATH: inject('toolPath'), PYTHONPATH: lib };
    const read = await place.alembic(target.url, project, { env }).read(target.expected);
    expect(read).toMatchObject({ kind: 'read' });
    const seen = (await import('node:fs')).readFileSync(join(project, 'seen'), 'utf8');
    expect(seen).toBe(`${lib}False`);
    await rm(join(project, 'seen'));
  });

  it('with ALEMBIC_CONFIG elsewhere', async () => {
    const target = await place.database();
    const project = await place.project({
      ini: null,
      versions: { a: table },
      files: { 'conf/db.ini': '[alembic]\nscript_location = migrations\n' },
    });
    const env = { PATH: inject('toolPath'), ALEMBIC_CONFIG: 'conf/db.ini' };
    const read = await place.alembic(target.url, project, { env }).read(target.expected);
    expect(read).toMatchObject({ kind: 'read', observed: { scripts: { heads: ['a'] } } });
  });
});

function up(revision: string) {
  const from: string[] = [];
  return { direction: 'upgrade' as const, revision, from, to: [revision] };
}
