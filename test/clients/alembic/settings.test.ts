import { afterAll, beforeAll, expect, it } from 'vitest';
import { carry, createPlace, limits, type Place } from './place.js';
import { plainEnv } from './project.js';

let place: Place;
beforeAll(async () => {
  place = await createPlace();
});
afterAll(() => place.drop());

it('holds both time limits in the session, also where env.py sets its own afterwards', async () => {
  const target = await place.database();
  const project = await place.project({
    env: plainEnv.replace(
      'context.configure(connection=connection)',
      `context.configure(connection=connection)
        connection.exec_driver_sql("set lock_timeout = 0")
        connection.exec_driver_sql("set statement_timeout = 0")`,
    ),
    versions: { a: ["op.execute('select pg_sleep(600)')"] },
  });
  const alembic = place.alembic(target.url, project);
  const printed = await alembic.print('upgrade', [], 'a');
  const ran = await alembic.migrate('upgrade', 'a', {
    ...limits,
    statementTimeoutMs: 200,
    target: target.expected,
    from: [],
    steps: printed.kind === 'printed' ? printed.steps : [],
    files: {},
  });
  expect(ran).toMatchObject({ kind: 'failed', observed: { errors: [{ sqlstate: '57014' }] } });
});

it('knows labels and what a revision depends on beside its parents', async () => {
  const target = await place.database();
  const project = await place.project({
    versions: {
      a: { up: [], head: ['branch_labels = ("ours",)'] },
      x: { up: [], after: 'None' },
      b: { up: [], after: '"a"', head: ['depends_on = "x"'] },
    },
  });
  const alembic = place.alembic(target.url, project);
  const read = await alembic.read(target.expected);
  const revisions = new Map(read.observed?.scripts?.revisions.map((r) => [r.revision, r]));
  expect(revisions.get('b')).toMatchObject({ down: ['a'], depends: ['x'] });
  expect(revisions.get('a')?.labels).toEqual(['ours']);
  const ran = await carry(alembic, target.expected, [], 'b');
  expect(ran).toMatchObject({ kind: 'done' });
  expect(ran.steps.map((s) => s.revision).sort()).toEqual(['a', 'b', 'x']);
});
