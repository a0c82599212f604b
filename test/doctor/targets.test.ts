import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { migrate } from '../../src/store/migrate.js';
import { createPool } from '../../src/store/pool.js';
import { layoutBackend } from '../../workspace/backend/layout.js';
import { startRedis } from '../../workspace/services/redis.js';
import { toolPath } from '../../workspace/services/tools.js';
import { freshDatabase } from '../support/database.js';
import { changedConfig, diagnose, openPlace, type Place } from './place.js';

let place: Place;
const ends: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  place = await openPlace('doctor_targets');
});
afterAll(() => place?.close());
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function sql(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** The URL as another user. */
function as(url: string, user: string, password: string): string {
  const changed = new URL(url);
  changed.username = user;
  changed.password = password;
  return changed.href;
}

/** A login role without any right, gone after the test. */
async function role(name: string, password: string): Promise<string> {
  const unique = `${name}_${process.pid}`;
  const admin = inject('postgresAdminUrl');
  await sql(admin, `create role ${unique} login password '${password}'`);
  ends.push(() => sql(admin, `drop role ${unique}`));
  return unique;
}

test('everything that is wrong with targets, backups and the runbook shows at once', async () => {
  const { staging, production } = place.trial.databases;
  const empty = join(place.directory, 'empty');
  await mkdir(empty, { recursive: true });
  const missing = new URL(production);
  missing.pathname = '/no_such_database';
  const runbook = join(place.directory, 'broken.yml');
  await writeFile(runbook, 'runbook: broken\ntitle: 7\ntargets: [staging]\n');
  const config = await changedConfig(place, (file) => {
    file.targets.staging['database-url'] = as(staging, 'postgres', 'not-the-password');
    file.targets.staging['redis-url'] = 'redis://:not-the-secret@127.0.0.1:9/0';
    file.targets.staging.directory = join(place.directory, 'nowhere');
    file.targets.staging.env = {};
    file.targets.production['database-url'] = missing.href;
    file.targets.production['redis-url'] = place.redis.production.replace(/:[^:@]+@/, ':not-the-secret@');
    file.targets.production.directory = empty;
    file.targets.production.env.PATH = empty;
    file.backups = { directory: join(place.directory, 'no-backups'), 'min-free': '1GiB' };
    file.runbook = runbook;
  });
  const { healthy, problems, lines } = await diagnose({ ...place.trial.botEnv, M10_CONFIG: config });
  expect(healthy).toBe(false);
  const missingProgram = (name: string) =>
    expect.stringMatching(new RegExp(`^✗ programs of production: not found: ${name} .* → install ${name}`));
  expect(problems).toEqual([
    expect.stringMatching(/^✗ database of staging: cannot be reached: .* → correct user and password/),
    expect.stringMatching(/^✗ Redis of staging: cannot be reached: .* → start Redis/),
    expect.stringMatching(/^✗ backend of staging: .*nowhere does not exist → /),
    expect.stringMatching(
      /^✗ programs of staging: no PATH is configured.* → set targets\.staging\.env\.PATH/,
    ),
    expect.stringMatching(/^✗ database of production: .*no_such_database.* → create the database/),
    expect.stringMatching(/^✗ Redis of production: .* → correct the password/),
    expect.stringMatching(/^✗ backend of production: .*empty; its commit cannot be read: .*not found: git/),
    missingProgram('alembic'),
    missingProgram('pg_dump'),
    missingProgram('pg_restore'),
    missingProgram('python3'),
    expect.stringMatching(/^✗ backup directory .*no-backups: does not exist → create it.*mkdir -p/),
    expect.stringMatching(/^✗ runbook .*broken\.yml:2:8 title: /),
    ...lines.filter((line) => line.startsWith('✗ runbook') && !line.includes(' title:')),
  ]);
  expect(lines.filter((line) => line.startsWith('✗ runbook')).length).toBeGreaterThan(3);
  expect(lines.join('\n')).not.toMatch(/not-the-/);
  expect(lines.at(-1)).toMatch(/problems\. Resolve the lines marked ✗/);
});

test('what the user of a database may not do is a problem where a migration needs it, else a warning', async () => {
  const bare = await role('bare', 'bare-password');
  const some = await role('some', 'some-password');
  const state = await role('state', 'state-password');
  const { staging, production } = place.trial.databases;
  await sql(staging, `grant all on alembic_version to ${some}; grant create on schema public to ${some}`);
  ends.push(() => sql(staging, `drop owned by ${some}`));
  const config = await changedConfig(place, (file) => {
    file.targets.staging['database-url'] = as(staging, some, 'some-password');
    file.targets.production['database-url'] = as(production, bare, 'bare-password');
  });
  const env = { ...place.trial.botEnv, M10_CONFIG: config };
  const stateUrl = as(place.trial.databases.state, state, 'state-password');
  const { problems, warnings, lines } = await diagnose({ ...env, STATE_DATABASE_URL: stateUrl });
  expect(problems).toEqual([
    expect.stringMatching(
      /^✗ state database: state_\d+ may not create the schema m10bot → grant CREATE on database/,
    ),
    expect.stringMatching(/^✗ database of production: bare_\d+ may not write public\.alembic_version → /),
    expect.stringMatching(/^✗ database of production: bare_\d+ may create nothing/),
    expect.stringMatching(/^✗ backend of production: alembic current fails in .*permission denied for table/),
    expect.stringMatching(/^✗ jobs on production: schema m10_recovery: role bare_\d+ may not use it/),
  ]);
  expect(warnings).toEqual([
    expect.stringMatching(/^! database of staging: some_\d+ may not create anything in m10_recovery/),
    expect.stringMatching(
      /^! database of staging: .*who blocks a migration stays unknown → grant pg_monitor/,
    ),
    expect.stringMatching(/^! database of staging: .*own sessions only → grant pg_signal_backend/),
    expect.stringMatching(/^! database of production: .*pg_monitor/),
    expect.stringMatching(/^! database of production: .*pg_signal_backend/),
  ]);
  expect(lines).toContainEqual(expect.stringMatching(/^✓ database of staging: .*021_m10.*, as some_/));
});

test('a state database that is a target, and targets that are one database, are found by what they are', async () => {
  const { production } = place.trial.databases;
  // Another spelling of the same place, which comparing URLs would not see.
  const again = production.replace('127.0.0.1', 'localhost');
  const config = await changedConfig(place, (file) => {
    file.targets.staging['database-url'] = again;
  });
  const { problems } = await diagnose({
    ...place.trial.botEnv,
    M10_CONFIG: config,
    STATE_DATABASE_URL: again,
  });
  expect(problems).toEqual([
    expect.stringMatching(
      /^✗ databases apart: the state database is the one of staging; .* → create a database/,
    ),
    expect.stringMatching(/^✗ databases apart: the state database is the one of production/),
    expect.stringMatching(/^✗ databases apart: staging and production are one and the same database → /),
  ]);
});

test('a state database that is not UTF8 is refused, and one that cannot be reached', async () => {
  const admin = inject('postgresAdminUrl');
  const name = `doctor_latin_${process.pid}`;
  await sql(admin, `create database ${name} encoding 'LATIN1' locale 'C' template template0`);
  ends.push(() => sql(admin, `drop database ${name}`));
  const url = new URL(admin);
  url.pathname = `/${name}`;
  const { problems } = await diagnose({ ...place.trial.botEnv, STATE_DATABASE_URL: url.href });
  expect(problems).toEqual([
    expect.stringMatching(/^✗ state database: is encoded in LATIN1 → create one with/),
  ]);
  url.port = '9';
  const gone = await diagnose({ ...place.trial.botEnv, STATE_DATABASE_URL: url.href });
  expect(gone.problems).toEqual([
    expect.stringMatching(/^✗ state database: cannot be reached: .* → start the server/),
  ]);
  expect(gone.warnings).toEqual([expect.stringMatching(/^! databases apart: not fully checked/)]);
});

test('a state directory that belongs to another state database is a problem, and nothing is bound', async () => {
  const { url, drop } = await freshDatabase('doctor_bound');
  ends.push(drop);
  const pool = createPool({ url, max: 1, applicationName: 'm10bot-test', onError: () => {} });
  await migrate(pool, 'migrations');
  await pool.end();
  const state = join(place.directory, 'bound');
  await mkdir(state);
  const config = await changedConfig(place, (file) => {
    file.state.directory = state;
  });
  const env = { ...place.trial.botEnv, M10_CONFIG: config, STATE_DATABASE_URL: url };
  expect((await diagnose(env)).problems).toEqual([]);
  expect(await readdir(state)).toEqual([]);
  const bound = { directory: randomUUID(), database: randomUUID(), boundAt: new Date().toISOString() };
  await writeFile(join(state, 'identity.json'), JSON.stringify(bound));
  expect((await diagnose(env)).problems).toEqual([
    expect.stringMatching(
      /^✗ state directory .*: .*belongs to another state database.* → its records are of/,
    ),
  ]);
});

test('without STATE_DATABASE_URL the embedded PostgreSQL is looked at, and nothing is made', async () => {
  const { STATE_DATABASE_URL: _, ...env } = place.trial.botEnv;
  const { healthy, lines } = await diagnose(env);
  expect(healthy).toBe(true);
  expect(lines).toContain('✓ state database: embedded PostgreSQL, made at the first start; for one replica');
  expect(lines).toContainEqual(expect.stringMatching(/^✓ state directory .*: is made at the first start$/));
  const file = join(place.directory, 'a-file');
  await writeFile(file, '');
  const config = await changedConfig(place, (it) => {
    it.state.directory = join(file, 'state');
  });
  const blocked = await diagnose({ ...env, M10_CONFIG: config });
  expect(blocked.problems).toEqual([expect.stringMatching(/^✗ state directory .*: is not a directory → /)]);
});

test('a Redis that loses or evicts entries is a problem', async () => {
  const redis = await startRedis({
    directory: join(place.directory, 'redis'),
    appendonly: false,
    maxmemoryPolicy: 'allkeys-lru',
  });
  ends.push(redis.stop);
  const config = await changedConfig(place, (file) => {
    file.targets.production['redis-url'] = redis.url;
  });
  const { problems } = await diagnose({ ...place.trial.botEnv, M10_CONFIG: config });
  expect(problems).toEqual([
    expect.stringMatching(/^✗ Redis of production: appendonly is no: .* → set appendonly yes/),
    expect.stringMatching(
      /^✗ Redis of production: maxmemory-policy is allkeys-lru: .* → set maxmemory-policy noeviction/,
    ),
  ]);
});

test('programs that are too old, broken or without their modules are named', async () => {
  const tools = await toolPath();
  const bin = join(place.directory, 'bin');
  await mkdir(bin, { recursive: true });
  const script = async (name: string, text: string) => {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(bin, name), 0o755);
  };
  await script('pg_dump', 'echo "pg_dump (PostgreSQL) 13.4"');
  await script('alembic', 'echo "no module named alembic" >&2; exit 1');
  // Without its site packages this python3 finds no module that was installed.
  await script('python3', `exec ${tools.find('python3')} -S -E "$@"`);
  const config = await changedConfig(place, (file) => {
    file.targets.staging.env.PATH = `${bin}:${tools.value}`;
  });
  const { problems } = await diagnose({ ...place.trial.botEnv, M10_CONFIG: config });
  expect(problems).toEqual([
    expect.stringMatching(/^✗ backend of staging: alembic current fails in .*no module named alembic/),
    expect.stringMatching(
      /^✗ programs of staging: alembic \(.*\/bin\/alembic\) does not run: no module named alembic/,
    ),
    expect.stringMatching(/^✗ programs of staging: pg_dump 13\.4 is older than the server \(15/),
    ...['alembic', 'psycopg2', 'pytest'].map((name) =>
      expect.stringMatching(new RegExp(`^✗ programs of staging: python3 cannot import ${name} → install it`)),
    ),
  ]);
});

test('which code it is: uncommitted changes and no repository are warnings', async () => {
  const { directory } = await layoutBackend({ directory: join(place.directory, 'dirty') });
  await writeFile(join(directory, 'left-behind.txt'), '');
  const plain = join(place.directory, 'plain');
  await layoutBackend({ directory: plain });
  await rm(join(plain, '.git'), { recursive: true });
  const config = await changedConfig(place, (file) => {
    file.targets.staging.directory = directory;
    file.targets.production.directory = plain;
  });
  const { healthy, warnings } = await diagnose({ ...place.trial.botEnv, M10_CONFIG: config });
  expect(healthy).toBe(true);
  expect(warnings).toEqual([
    expect.stringMatching(/^! backend of staging: .* with 1 uncommitted change, such as left-behind\.txt/),
    expect.stringMatching(/^! backend of production: .* is in no git repository/),
  ]);
});

test('backups need a directory with room', async () => {
  const file = join(place.directory, 'not-a-folder');
  await writeFile(file, '');
  const link = join(place.directory, 'backups-link');
  await symlink(join(place.directory, 'backups'), link);
  const config = async (directory: string, free: string) =>
    changedConfig(place, (it) => {
      it.backups = { directory, 'min-free': free };
    });
  const full = await diagnose({ ...place.trial.botEnv, M10_CONFIG: await config(link, '9000TiB') });
  expect(full.problems).toEqual([
    expect.stringMatching(/^✗ backup directory .*: .* free, at least 9000\.0 TiB wanted → make room/),
  ]);
  const wrong = await diagnose({ ...place.trial.botEnv, M10_CONFIG: await config(file, '1MiB') });
  expect(wrong.problems).toEqual([expect.stringMatching(/^✗ backup directory .*: is not a directory → /)]);
});

test('a database that the bot has used is known by its schema', async () => {
  const used = await freshDatabase('doctor_used');
  ends.push(used.drop);
  await sql(used.url, 'create schema m10bot');
  const { healthy, lines } = await diagnose({ ...place.trial.botEnv, STATE_DATABASE_URL: used.url });
  expect(healthy).toBe(true);
  expect(lines).toContainEqual(expect.stringMatching(/^✓ state database: .*; has its tables$/));
});
