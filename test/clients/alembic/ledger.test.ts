import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { observedOf } from '../../../src/clients/alembic/observed.js';
import { readReport } from '../../../src/clients/alembic/report.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'm10-ledger-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const hello = { event: 'hello', python: '3', alembic: '1', sqlalchemy: '1' };
const sent = (sql: string, autocommit = false, connection = 1) => ({
  ...{ event: 'statement', connection, target: true, context: 1, step: 0, sql, cut: false },
  ...{ parameters: [], style: null, autocommit },
});
const on = (event: string, more: Record<string, unknown> = {}) => ({ event, connection: 1, ...more });
const connected = (driver: string) => ({
  event: 'connection',
  id: 1,
  dialect: 'postgresql',
  driver,
  target: true,
});

async function reportOf(text: string) {
  const path = join(folder, 'report.jsonl');
  await writeFile(path, text);
  const report = await readReport(path);
  const observed = report === null ? null : observedOf(report);
  if (observed === null) throw new Error('it was observed');
  return observed;
}

async function fates(...events: readonly object[]) {
  const lines = [hello, ...events].map((event) => `${JSON.stringify(event)}\n`).join('');
  const { committed, uncertain, unanswered } = await reportOf(lines);
  const texts = (statements: readonly { sql: string }[]) => statements.map((s) => s.sql);
  return {
    committed: texts(committed),
    uncertain: texts(uncertain),
    unanswered: unanswered.map(({ xid, statements }) => [xid, ...texts(statements)]),
  };
}

const none = { committed: [], uncertain: [], unanswered: [] };

it.each([
  ['a commit that was answered', [sent('a'), on('committing'), on('commit')], { ...none, committed: ['a'] }],
  ['one that was not', [sent('a'), on('committing', { xid: '9' })], { ...none, unanswered: [['9', 'a']] }],
  [
    'one that was reported twice',
    [sent('a'), on('committing'), on('committing', { xid: '9' })],
    { ...none, unanswered: [['9', 'a']] },
  ],
  [
    'one of a report that does not announce commits',
    [sent('a'), on('commit'), sent('b')],
    { ...none, committed: ['a'] },
  ],
  [
    'one before a rollback, which says nothing of it',
    [sent('a'), on('committing'), on('rollback')],
    { ...none, unanswered: [[undefined, 'a']] },
  ],
  [
    'one that a later commit of nothing does not answer',
    [sent('a'), on('committing'), on('rollback'), on('committing'), on('commit')],
    { ...none, unanswered: [[undefined, 'a']] },
  ],
  ['one that the server refused', [sent('a'), on('committing'), on('rollback', { sqlstate: '23505' })], none],
  [
    'one of another connection',
    [sent('a'), sent('b', false, 2), on('committing'), on('commit', { connection: 2 })],
    { ...none, committed: ['b'], unanswered: [[undefined, 'a']] },
  ],
  [
    'a transaction that was prepared',
    [sent('a'), sent("PREPARE TRANSACTION 'x'"), on('commit')],
    { ...none, unanswered: [[undefined, 'a', "PREPARE TRANSACTION 'x'"]] },
  ],
  [
    'a failed statement before a fine one',
    [sent('a', true), sent('b', true), on('carried')],
    { ...none, committed: ['b'], uncertain: ['a'] },
  ],
  [
    'several rows of one call',
    [sent('a', true), sent('b', true), on('carried', { count: 2 })],
    { ...none, committed: ['a', 'b'] },
  ],
])('knows the fate of %s', async (_name, events, expected) => {
  expect(await fates(...events)).toEqual(expected);
});

it.each([
  ['COMMIT', 'psycopg2', { uncertain: ['b'] }],
  ['insert into t values (1); rollback', 'psycopg2', { uncertain: ['b'] }],
  ['COMMIT AND CHAIN', 'psycopg2', { uncertain: [] }],
  ['commit; begin', 'psycopg2', { uncertain: [] }],
  ['ROLLBACK TO s', 'psycopg2', { uncertain: [] }],
  ['ROLLBACK WORK TO SAVEPOINT s', 'psycopg2', { uncertain: [] }],
  ["COMMIT PREPARED 'x'", 'psycopg2', { uncertain: [] }],
  ["select 'a; commit'", 'psycopg2', { uncertain: [] }],
  ['COMMIT', 'psycopg', { uncertain: [] }],
])('knows after %s by %s whether the next one is in a transaction', async (sql, driver, expected) => {
  const found = await fates(connected(driver), sent(sql), on('commit'), sent('b'), on('rollback'));
  expect(found).toMatchObject(expected);
});

it('believes that a transaction is open again once SQL or the driver begins one', async () => {
  const loose = [connected('psycopg2'), sent('COMMIT'), on('commit')];
  expect(await fates(...loose, sent('begin'), sent('b'), on('rollback'))).toMatchObject({ uncertain: [] });
  expect(
    await fates(...loose, sent('b'), on('commit'), on('commit'), sent('c'), on('rollback')),
  ).toMatchObject({
    committed: ['COMMIT', 'b'],
    uncertain: [],
  });
});

it('reads a report whose middle or end is missing as cut', async () => {
  const line = (event: object) => `${JSON.stringify(event)}\n`;
  const whole = line(hello) + line(sent('a')) + line(on('commit'));
  expect(await reportOf(whole)).toMatchObject({ cut: false, committed: [{ sql: 'a' }] });
  expect(await reportOf(`${whole}{"event": "sta`)).toMatchObject({ cut: true, committed: [{ sql: 'a' }] });
  const torn = `${line(hello)}{"event": "statement", "sql": "${whole.slice(line(hello).length)}`;
  expect(await reportOf(torn)).toMatchObject({ cut: true });
});
