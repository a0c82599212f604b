import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sayTrouble } from '../../src/actions/alembic/words.js';
import { observedOf } from '../../src/clients/alembic/observed.js';
import { troubleOf } from '../../src/clients/alembic/trouble.js';
import type { ProcessResult } from '../../src/clients/process.js';
import { contextOf, run, sql, withClient } from '../checks/world.js';
import { plainEnv } from '../clients/alembic/project.js';
import { args, createPlace, online, type Place, withEnv } from './alembic-place.js';

let place: Place;
const roles: string[] = [];
beforeAll(async () => {
  place = await createPlace();
});
afterAll(async () => {
  await place.drop();
  for (const role of roles) await sql(place.admin, `drop role ${role}`);
});

const insert = "op.execute('insert into t values (1)')";

describe('a session that only reads', () => {
  test('is told with the setting that makes it so, where it is the target’s', async () => {
    const { url, target } = await place.project([insert]);
    await sql(url, `alter database ${new URL(url).pathname.slice(1)} set default_transaction_read_only = on`);
    const { summary, result } = await place.run(target);
    expect(summary).toMatch(
      /^Sessions of \w+ on production are read-only \(default_transaction_read_only is on; /,
    );
    expect(summary).not.toMatch(/another database/);
    expect(result).toBe('failed');
  });

  test('is told without a cause where none was read', async () => {
    const { target } = await place.project(["op.execute('set transaction read only')", insert]);
    const { summary } = await place.run(target);
    expect(summary).toMatch(/^A change was refused on production in a read-only transaction \(/);
  });

  test('is told as another database’s where it is', async () => {
    const other = await place.database();
    const { target } = await place.project({
      head: ['import os, psycopg2'],
      up: online(
        'own = psycopg2.connect(os.environ["OTHER"])',
        'own.cursor().execute("create table beside (i int)")',
      ),
    });
    const { summary } = await place.run(withEnv(target, { OTHER: other.url }));
    expect(summary).toMatch(/^Alembic tried to change another database than production, database \w+ on /);
  });

  test('is told as a standby where the session read that it is in recovery', () => {
    const facts = { ...session, standby: true };
    expect(told([{ ...connection, ...facts }, statement('create table u (i int)'), error('25006')])).toMatch(
      /^production is a standby \(pg_is_in_recovery\)/,
    );
  });
});

describe('the version table', () => {
  async function asRole(url: string, more: string): Promise<string> {
    const role = `m10_words_${process.pid}_${roles.length}`;
    await sql(
      url,
      `create role ${role} login password 'x'; grant all on schema public to ${role};
       alter table t owner to ${role}; grant select on alembic_version to ${role}; ${more.replaceAll('ROLE', role)}`,
    );
    roles.push(role);
    const own = new URL(url);
    own.username = role;
    own.password = 'x';
    return own.href;
  }

  test('without a privilege is told as that, and nobody else is blamed', async () => {
    const { url, target } = await place.project(["op.execute('alter table t add column note text')"]);
    const databaseUrl = await asRole(url, '');
    const { summary } = await place.run({ ...target, databaseUrl });
    expect(summary).toMatch(/permission denied for table alembic_version/);
    expect(summary).not.toMatch(/another client/i);
  });

  test('whose row a policy hides is not told as moved by somebody', async () => {
    const { url, target } = await place.project(["op.execute('alter table t add column note text')"]);
    const databaseUrl = await asRole(
      url,
      `grant all on alembic_version to ROLE; alter table alembic_version enable row level security;
       create policy look on alembic_version for select using (true)`,
    );
    const { summary } = await place.run({ ...target, databaseUrl });
    expect(summary).toMatch(/^The version table did not hold the row that Alembic was to change \(/);
    expect(summary).toMatch(/may have moved the revision, or a policy or trigger hides the row/);
  });
});

describe('a lock', () => {
  test.each([
    ['lock table t in access exclusive mode nowait', /and the statement does not wait for it \(NOWAIT; /],
    [
      "set local lock_timeout = '50ms'; lock table t",
      /^The lock_timeout that the migration itself set ended/,
    ],
    ['lock table t', /^It waited 300 ms for a lock and gave up, behind session/],
  ])('that another client holds: %s', async (statement, words) => {
    const { url, target } = await place.project([`op.execute("${statement}")`]);
    await withClient(url, async (client) => {
      await client.query('begin');
      await client.query('lock table t');
      const outcome = await run(place.upgrade, { ...args, 'lock-timeout': '300ms' }, contextOf(target));
      expect(outcome.summary).toMatch(words);
    });
  });

  const german = {
    waited: 'storniere Anfrage wegen Zeitüberschreitung einer Sperre',
    refused: 'konnte Sperre für Relation »t« nicht setzen',
  };
  test.each([
    [german.waited, 'drop table t', null, /^It waited 3 s/],
    [german.waited, 'select * from t for update nowait', null, /^A lock was not available/],
    [german.refused, 'select * from t for update nowait', null, /^A lock was not available/],
    [german.refused, 'do $$ begin perform locked(); end $$', null, /^A lock was not available/],
    [german.refused, 'lock table t nowait', 'RangeVarCallbackForLockTable', /does not wait for it \(NOWAIT/],
    [german.waited, 'lock table t nowait', 'ProcessInterrupts', /^It waited 3 s/],
    ['try later', 'select f()', 'exec_stmt_raise', /^A lock was not available/],
  ])('in another language: %s, %s, %s', (message, text, routine, words) => {
    const events = [{ ...connection, ...session }, statement(text), { ...error('55P03', message), routine }];
    expect(told(events)).toMatch(words);
  });
});

describe('an env.py that looks at the revision first', () => {
  const looks = (configure: string) =>
    plainEnv
      .replace(
        'from alembic import context',
        'from alembic import context\nfrom alembic.migration import MigrationContext',
      )
      .replace(
        '        context.configure(connection=connection',
        `        MigrationContext.configure(connection).get_current_revision()
        context.configure(connection=connection${configure}`,
      )
      .replace('url=url, ', `url=url, ${configure === '' ? '' : `${configure.slice(2)}, `}`);

  test('migrates one database once', async () => {
    const { url, target } = await place.project([insert], { env: looks('') });
    expect(await place.run(target)).toMatchObject({ result: 'passed' });
    expect(await sql(url, 'select name from t')).toEqual([{ name: '1' }]);
  });

  test('keeps the revision where its migrations do', async () => {
    const { url, target } = await place.project([insert], {
      env: looks(', version_table="revisions"'),
      prepare:
        'alter table alembic_version rename to revisions; create table alembic_version (version_num text)',
    });
    expect(await place.run(target)).toMatchObject({ result: 'passed' });
    expect(await sql(url, 'select version_num from revisions')).toEqual([{ version_num: 'b' }]);
  });
});

const session = {
  database: 'd',
  oid: '1',
  pid: 7,
  backend_start: '1.5',
  started: '1',
  address: null,
  port: null,
  user: 'u',
  standby: false,
  lock_timeout_ms: 3_000,
  statement_timeout_ms: 0,
  application_name: 'm10bot',
};
const connection = {
  event: 'connection' as const,
  id: 1,
  dialect: 'postgresql',
  driver: 'psycopg2',
  target: true,
  outside: false,
  system: null,
};

function statement(text: string) {
  const where = { connection: 1, target: true, context: 1, step: 0 };
  return {
    event: 'statement' as const,
    ...where,
    sql: text,
    cut: false,
    parameters: [],
    style: null,
    autocommit: false,
  };
}

function error(sqlstate: string, message = 'no') {
  const known = { schema: null, routine: null, connection: null };
  return { event: 'error' as const, where: 'migration', step: 0, classes: [], message, sqlstate, ...known };
}

type Events = Parameters<typeof observedOf>[0]['events'];

/** What people read of a program that ended with these events. */
function told(events: Events): string {
  const hello = { event: 'hello' as const, python: '3', alembic: '1', sqlalchemy: '1' };
  const ended: ProcessResult = {
    kind: 'exited',
    exitCode: 1,
    stdout: '',
    stderr: '',
    stdoutPath: '',
    stderrPath: '',
    durationMs: 1,
  };
  const trouble = troubleOf(ended, observedOf({ events: [hello, ...events], cut: false }));
  if (trouble === null) throw new Error('it failed');
  return sayTrouble({ ...trouble, steps: [] }, { lockTimeout: '3 s', blocker: null, target: 'production' });
}
