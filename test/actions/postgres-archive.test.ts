import { readdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { countCopied, tableKey } from '../../src/actions/archive/read-back.js';
import { postgresArchive } from '../../src/actions/postgres-archive.js';
import { digest } from '../../src/clients/backup.js';
import {
  after,
  bind,
  contextOf,
  createWorld,
  probe,
  run,
  sql,
  type World,
  withClient,
} from '../checks/world.js';
import { eventually } from '../support/processes.js';

let world: World;
let url: string;

const schema = `Odd "s'chema`;
const quoted = `"Odd ""s'chema"`;
const args = { schema, tables: ['select', 'a "b" $c*', 'empty one', 'absent'] };

beforeAll(async () => {
  world = await createWorld();
  url = (await world.databaseAt(null)).url;
  await sql(
    url,
    `create schema ${quoted};
     create table ${quoted}."select" (id int generated always as identity primary key, note text);
     create table ${quoted}."a ""b"" $c*" (body text);
     create table ${quoted}."empty one" (id int);
     create table ${quoted}.aab (other text);
     insert into ${quoted}."select" (note) select 'row ' || n from generate_series(1, 250) n;
     insert into ${quoted}."a ""b"" $c*" values (E'two\\nlines'), (E'\\\\.'), (E'a\\rb'), (U&'x\\2028y'), (null),
       ('COPY x.y (z) FROM stdin;'), (repeat('long ', 200000))`,
  );
});
afterAll(() => world.drop());

let folders = 0;
function kindWith(given: { readonly minFreeBytes?: number } = {}) {
  folders += 1;
  const directory = join(world.directory, `archives-${folders}`);
  const deps = world.deps();
  const backups = { directory, minFreeBytes: given.minFreeBytes ?? 0 };
  return { directory, deps, kind: postgresArchive({ ...deps, config: { ...deps.config, backups } }) };
}

const filesIn = (directory: string) => readdir(directory).catch(() => []);
const sessionsOf = (name: string) =>
  sql(url, `select pid from pg_stat_activity where application_name = '${name}'`);
const target = () => world.target({ databaseUrl: url });
const Data = z.object({
  path: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  rows: z.record(z.string(), z.number()),
});

test('keeps tables with any name and any text, counted in the file, and gives them back', async () => {
  const { kind, directory } = kindWith();
  const context = contextOf(target());
  const outcome = await run(kind, args, context);
  expect(outcome).toMatchObject({ result: 'passed' });
  const data = Data.parse(outcome.data);
  expect(data.rows).toEqual({ select: 250, 'a "b" $c*': 7, 'empty one': 0 });
  expect(data).toMatchObject({ bytes: (await stat(data.path)).size, sha256: await digest(data.path) });
  expect((await filesIn(directory)).map((n) => n.replace(/^.*Z/, '')).sort()).toEqual([
    '.dump',
    '.dump.json',
  ]);
  expect(await probe(kind, args, context)).toMatchObject({ kind: 'done', outcome: { data } });

  const copy = (await world.databaseAt(null)).url;
  await sql(copy, `create schema ${quoted}`);
  const restored = await execa(
    'pg_restore',
    ['--no-password', '--single-transaction', `--dbname=${copy}`, data.path],
    { env: { PATH: inject('toolPath') }, extendEnv: false, reject: false },
  );
  expect(restored.stderr).toBe('');
  const rowsOf = (where: string) =>
    sql(where, `select md5(body) as sum from ${quoted}."a ""b"" $c*" order by 1`);
  expect(await rowsOf(copy)).toEqual(await rowsOf(url));
});

test('takes the partitions of a table along', async () => {
  await sql(
    url,
    `create schema parts;
     create table parts.log (n int) partition by range (n);
     create table parts.log_low partition of parts.log for values from (0) to (10);
     create table parts.log_high partition of parts.log for values from (10) to (20);
     insert into parts.log select n from generate_series(0, 14) n`,
  );
  const { kind } = kindWith();
  const outcome = await run(kind, { schema: 'parts', tables: ['log'] }, contextOf(target()));
  expect(outcome).toMatchObject({ result: 'passed', data: { rows: { log_low: 10, log_high: 5 } } });
});

test('a view is refused, since its rows are not in a dump', async () => {
  await sql(url, 'create schema seen; create view seen.through as select 1 as n');
  const { kind, directory } = kindWith();
  const outcome = await run(kind, { schema: 'seen', tables: ['through'] }, contextOf(target()));
  expect(outcome).toMatchObject({ result: 'failed' });
  expect(outcome.summary).toContain('seen.through is no table');
  expect(await filesIn(directory)).toEqual([]);
});

test('rows written while it works are in neither the count nor the file', async () => {
  const database = await world.databaseAt(after);
  const { kind } = kindWith();
  const add = `insert into m10_recovery.outbox (aggregate_type, aggregate_id, event_type, payload)
    select 'busy', gen_random_uuid()::text, 'x', '{}' from generate_series(1, 20)`;
  let over = false;
  const writing = withClient(database.url, async (client) => {
    while (!over) await client.query(add);
  });
  const given = { schema: 'm10_recovery', tables: ['outbox'] };
  const outcome = await run(kind, given, contextOf(world.target({ databaseUrl: database.url })));
  over = true;
  await writing;
  expect(outcome).toMatchObject({ result: 'passed' });
  const { rows } = Data.parse(outcome.data);
  const [now] = await sql(database.url, 'select count(*)::int as n from m10_recovery.outbox');
  expect(rows.outbox).toBeLessThan(Number(now?.n));
});

test('too little space, a missing pg_dump and an absent schema', async () => {
  const full = kindWith({ minFreeBytes: 2 ** 60 });
  const refused = await run(full.kind, args, contextOf(target()));
  expect(refused).toMatchObject({ result: 'failed' });
  expect(refused.summary).toMatch(/free, .+ are needed/);
  expect(await filesIn(full.directory)).toEqual([]);

  const { kind, directory } = kindWith();
  const bare = world.target({ databaseUrl: url, env: { PATH: '/nonexistent' } });
  expect((await run(kind, args, contextOf(bare))).summary).toContain('not found: pg_dump');
  expect(await filesIn(directory)).toEqual([]);
  const none = await run(kind, { schema: 'no_such', tables: ['x'] }, contextOf(target()));
  expect(none).toMatchObject({ result: 'passed', summary: 'nothing to archive: production has none of x' });
});

test('stopped while it waits for a lock: no session and no file is left', async () => {
  const { kind, directory } = kindWith();
  const stop = new AbortController();
  const context = contextOf(target(), { signal: stop.signal });
  const patient = { ...args, 'lock-timeout': '60s' };
  await withClient(url, async (client) => {
    await client.query('begin');
    await client.query(`lock table ${quoted}."select" in access exclusive mode`);
    const running = run(kind, patient, context);
    expect(await eventually(async () => (await sessionsOf(context.applicationName)).length > 0)).toBe(true);
    expect(await probe(kind, patient, context)).toMatchObject({ kind: 'running' });
    stop.abort();
    const outcome = await running;
    expect(outcome).toMatchObject({ result: 'failed' });
    expect(outcome.summary).toContain('it was stopped or ran out of time');
    expect(await sessionsOf(context.applicationName)).toEqual([]);
  });
  expect(await filesIn(directory)).toEqual([]);
  expect(await probe(kind, patient, context)).toMatchObject({ kind: 'not_done' });
});

test('a file whose rows are fewer than were counted is a failure', async () => {
  const { kind } = kindWith();
  const context = contextOf(target());
  const { path, rows } = Data.parse((await run(kind, args, context)).data);
  await writeFile(`${path}.json`, JSON.stringify({ rows: { ...rows, select: 251 }, marks: {} }));
  const found = await probe(kind, args, context);
  expect(found).toMatchObject({ kind: 'done', outcome: { result: 'failed' } });
  expect(JSON.stringify(found)).toContain('select has 251 rows, the file 250');
});

test('what a crash left without a finished file is removed', async () => {
  const { kind, directory } = kindWith();
  const context = contextOf(target());
  const { path } = Data.parse((await run(kind, args, context)).data);
  await rename(path, `${path}.part`);
  expect(await probe(kind, args, context)).toMatchObject({ kind: 'not_done' });
  expect(await filesIn(directory)).toEqual([]);
});

test('names are quoted where they are shown, and a line break is refused', () => {
  const { kind } = kindWith();
  const { commands } = bind(kind, args).describe(contextOf(target()));
  expect(commands).toContain(
    `SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM ONLY "Odd ""s'chema"."select" t;`,
  );
  expect(kind.bind({ schema: 'a\nb', tables: ['x'] }).ok).toBe(false);
});

test('rows are counted by line feeds alone, wherever the chunks are cut', async () => {
  const script = Buffer.from(
    'SET x;\nCOPY "a.b"."c""d" (t) FROM stdin;\none\u2028still\r one\n\\\\.\n\n\\.\n\nCOPY s.e  FROM stdin;\n\\.\n',
  );
  for (const size of [1, 7, 1_000]) {
    const chunks = Array.from({ length: Math.ceil(script.length / size) }, (_, i) =>
      script.subarray(i * size, (i + 1) * size),
    );
    const rows = await countCopied(Readable.from(chunks));
    expect([...rows]).toEqual([
      [tableKey('a.b', 'c"d'), 3],
      [tableKey('s', 'e'), 0],
    ]);
  }
});
