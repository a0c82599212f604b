import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readDatabaseId, registerDirectory } from '../../src/store/identity.js';
import { createInbox } from '../../src/store/inbox.js';
import { createJournal } from '../../src/store/journal.js';
import { createLeases } from '../../src/store/leases.js';
import { migrate } from '../../src/store/migrate.js';
import { createPool } from '../../src/store/pool.js';
import { nextRunNumber } from '../../src/store/sequences.js';
import { stateDatabase } from './state.js';

let database: Awaited<ReturnType<typeof stateDatabase>>;
let pool: ReturnType<typeof createPool>;
let roles: { owner: string; bot: string };
const append = (version: number) => [
  { stream: 'run:1', expectedVersion: version, events: [{ type: 'A', data: { n: version } }] },
];

beforeEach(async () => {
  database = await stateDatabase();
  const tag = randomBytes(4).toString('hex');
  roles = { owner: `owner_${tag}`, bot: `bot_${tag}` };
  await database.pool.query(`CREATE ROLE ${roles.owner}; CREATE ROLE ${roles.bot} LOGIN PASSWORD 'x'`);
  await createJournal(database.pool).append(append(0));
  const script = await readFile('deploy/state-role.sql', 'utf8');
  // What psql makes of its variables.
  const filled = script
    .replace(/^--.*$/gm, '')
    .replace(
      /:(["'])(owner|bot)\1/g,
      (_all, quote: string, name: 'owner' | 'bot') => `${quote}${roles[name]}${quote}`,
    );
  // Twice: it is run again after each migration.
  await database.pool.query(filled);
  await database.pool.query(filled);
  const url = new URL(database.url);
  url.username = roles.bot;
  url.password = 'x';
  pool = createPool({ url: url.href, max: 4, applicationName: 'm10bot-test', onError: () => {} });
});
afterEach(async () => {
  await pool.end();
  await database.pool.query(`DROP OWNED BY ${roles.owner}, ${roles.bot} CASCADE`);
  await database.pool.query(`DROP ROLE ${roles.owner}, ${roles.bot}`);
  await database.drop();
});

it('the bot works with a role that owns nothing', async () => {
  expect(await migrate(pool, 'migrations')).toEqual([]);
  const journal = createJournal(pool);
  await journal.append(append(1));
  expect(await journal.verify()).toMatchObject({ ok: true, checked: 2 });
  await expect(journal.append(append(1))).rejects.toThrow('stream run:1 is at version 2');
  const lease = await createLeases(pool).acquire('run:1', 'me', 10_000);
  expect(lease.kind).toBe('granted');
  const fence = { lease: 'run:1', owner: 'me', epoch: lease.kind === 'granted' ? lease.epoch : 0 };
  await journal.append(append(2), { fence });
  expect(await nextRunNumber(pool)).toBeGreaterThan(0);
  await createInbox(pool).prune(0);
  expect(await readDatabaseId(pool)).toBe(await readDatabaseId(database.pool));
  await registerDirectory(pool, { id: randomUUID(), host: 'bot-1', path: '/srv/m10' });
});

it.each([
  ["UPDATE m10bot.events SET actor = 'U1'"],
  ['DELETE FROM m10bot.events'],
  ['TRUNCATE m10bot.events'],
  ["INSERT INTO m10bot.events VALUES (9, 'run:1', 9, 'A', '{}', null, now(), 'x')"],
  ['UPDATE m10bot.journal_head SET position = 0'],
  ['UPDATE m10bot.identity SET id = gen_random_uuid()'],
  ['ALTER TABLE m10bot.events DISABLE TRIGGER ALL'],
  ['DROP TABLE m10bot.events'],
  ['DROP FUNCTION m10bot.append'],
  [
    'CREATE OR REPLACE FUNCTION m10bot.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$',
  ],
  ["SET session_replication_role = 'replica'"],
  ['CREATE TABLE m10bot.other ()'],
])('and may not: %s', async (statement) => {
  await expect(pool.query(statement)).rejects.toThrow(/permission denied|must be owner/);
});
