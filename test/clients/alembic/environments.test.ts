import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readRevision } from '../../../src/clients/postgres/revision.js';
import { carry, createPlace, limits, type Place, toolEnv } from './place.js';
import { plainEnv } from './project.js';

let place: Place;
beforeAll(async () => {
  place = await createPlace();
});
afterAll(() => place.drop());

const table = ["op.execute('create table t (id int primary key)')"];

it('reads migrations that import what env.py prepares', async () => {
  const target = await place.database();
  const project = await place.project({
    env: `import sys\nsys.path.insert(0, "inner")\n${plainEnv}`,
    versions: {
      a: { head: ['from names_of_ours import TABLE'], up: ['op.execute(f"create table {TABLE} (i int)")'] },
    },
    files: { 'inner/names_of_ours.py': 'TABLE = "t"\n' },
  });
  const alembic = place.alembic(target.url, project);
  const read = await alembic.read(target.expected);
  expect(read.observed?.scripts?.heads).toEqual(['a']);
  expect(read.observed?.errors).toEqual([]);
  expect(await carry(alembic, target.expected, [], 'a')).toMatchObject({ kind: 'done' });
});

it('leaves it to env.py to begin the transaction, and keeps what it has set', async () => {
  const target = await place.database();
  await target.open.query('create schema ops');
  const project = await place.project({
    env: plainEnv.replace('poolclass=pool.NullPool)', 'poolclass=pool.NullPool, future=True)').replace(
      '        context.configure(connection=connection)\n        with context.begin_transaction():\n            context.run_migrations()',
      `        connection.exec_driver_sql("set search_path = ops")
        connection.commit()
        context.configure(connection=connection)
        with connection.begin():
            context.run_migrations()`,
    ),
    versions: { a: table },
  });
  const ran = await carry(place.alembic(target.url, project), target.expected, [], 'a');
  expect(ran).toMatchObject({ kind: 'done' });
  expect(await readRevision(target.open, { schema: 'ops', table: 'alembic_version' })).toMatchObject({
    kind: 'at',
  });
});

it('reports beside a standard output that was replaced, and without a log', async () => {
  const target = await place.database();
  const project = await place.project({
    env: `import sys, io, logging\nlogging.disable(logging.CRITICAL)\nsys.stdout = io.StringIO()\n${plainEnv}`,
    versions: { a: table },
  });
  const alembic = place.alembic(target.url, project);
  expect(await carry(alembic, target.expected, [], 'a')).toMatchObject({
    kind: 'done',
    steps: [{ revision: 'a' }],
  });
  expect(await alembic.read(target.expected)).toMatchObject({ kind: 'read', heads: ['a'] });
});

it('refuses a copy of the database that has the same identity but another server', async () => {
  const target = await place.database();
  const project = await place.project({ versions: { a: table } });
  const origin = { ...target.expected, started: '1.5' };
  const ran = await carry(place.alembic(target.url, project), origin, [], 'a');
  expect(ran).toMatchObject({ kind: 'refused', observed: { refused: { code: 'other_database' } } });
  expect(await readRevision(target.open)).toMatchObject({ kind: 'none' });
});

it('finds Alembic beside a folder of that name, scripts in a package and in several places', async () => {
  const target = await place.database();
  const project = await place.project({
    ini: '[alembic]\nscript_location = pkg_of_ours:migrations\nprepend_sys_path = .\nversion_locations = %(here)s/pkg_of_ours/migrations/versions %(here)s/more\n',
    location: 'pkg_of_ours/migrations',
    versions: { a: table },
    files: {
      'pkg_of_ours/__init__.py': '',
      'pkg_of_ours/migrations/__init__.py': '',
      'alembic/notes.txt': '',
      'more/b.py': 'revision = "b"\ndown_revision = "a"\ndef upgrade(): pass\n',
    },
  });
  const read = await place.alembic(target.url, project).read(target.expected);
  expect(read.observed?.scripts?.revisions.map((r) => r.path)).toEqual([
    join(project, 'more/b.py'),
    join(project, 'pkg_of_ours/migrations/versions/a.py'),
  ]);
  expect(await carry(place.alembic(target.url, project), target.expected, [], 'b')).toMatchObject({
    kind: 'done',
    steps: [{ revision: 'a' }, { revision: 'b' }],
  });
});

it('lets the environment’s own sitecustomize load', async () => {
  const target = await place.database();
  const project = await place.project({
    env: `import builtins\nassert builtins.ours_was_here\n${plainEnv}`,
    versions: { a: [] },
    files: { 'site/sitecustomize.py': 'import builtins\nbuiltins.ours_was_here = True\n' },
  });
  const packages = process.env.M10_TEST_PYTHONPATH;
  const env = toolEnv({ PYTHONPATH: [join(project, 'site'), ...(packages ? [packages] : [])].join(':') });
  const read = await place.alembic(target.url, project, { env }).read(target.expected);
  expect(read).toMatchObject({ kind: 'read', observed: { scripts: { heads: ['a'] } } });
});

it.each(['-I', '-E', '-S'])('comes out unobserved under python %s', async (flag) => {
  const target = await place.database();
  const project = await place.project({ versions: { a: table } });
  const bin = join(project, 'bin');
  await mkdir(bin);
  const path = flag === '-S' ? 'import sys; sys.path.append("/usr/lib/python3/dist-packages");' : '';
  await writeFile(
    join(bin, 'alembic'),
    `#!/bin/bash\nset -e\nexport STAGE=x\nexec /usr/bin/python3 ${flag} -c '${path}from alembic.config import main; main()' "$@"\n`,
  );
  await chmod(join(bin, 'alembic'), 0o755);
  const env = toolEnv({ PATH: `${bin}:${toolEnv().PATH}` });
  const ran = await place.alembic(target.url, project, { env }).migrate('upgrade', 'a', {
    ...limits,
    target: target.expected,
    from: [],
    steps: [],
    files: {},
  });
  expect(ran.observed).toBeNull();
});
