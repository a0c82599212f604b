import { expect, test } from 'vitest';
import { archiveFacts } from '../../../src/clients/m10/archive.js';
import { excerptOf, fieldsOfPayload, payloadOf } from '../../../src/clients/m10/dead-letter-entry.js';
import {
  countReplaysOlderThan,
  deleteReplaysOlderThan,
  recordReplay,
  replayFacts,
} from '../../../src/clients/m10/replays.js';
import { createDlReconcile } from '../../../src/scheduler/jobs/dl-reconcile.js';
import { createMatviewRefresh } from '../../../src/scheduler/jobs/matview-refresh.js';
import { createReclaimGc } from '../../../src/scheduler/jobs/reclaim-gc.js';
import { createRetentionCleanup } from '../../../src/scheduler/jobs/retention-cleanup.js';
import { missingNeeds } from '../../../src/scheduler/needs.js';
import { useStreams } from '../../scheduler/jobs/streams.js';

const streams = useStreams();
const day = 86_400_000;

test('the replay log: its size, its growth by day, what is old, and batches of that', async () => {
  const { database } = streams;
  expect(await replayFacts(database, 3)).toMatchObject({ rows: 0, oldestAt: null, newestAt: null });
  const replay = { original: '1-1', deadLetter: '2-1', candidate: '7', key: null, newId: '3-1' };
  expect(await recordReplay(database, replay, 'me')).toBe(true);
  expect(await recordReplay(database, replay, 'me')).toBe(false);
  await streams.sql(
    `insert into m10_recovery.replay_log (original_msg_id, replayed_at)
     select 'y' || i, date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - interval '1 s' from generate_series(1, 4) as i
     union all select 'o' || i, now() - interval '40 days' from generate_series(1, 5) as i`,
  );
  const facts = await replayFacts(database, 3);
  expect(facts).toMatchObject({ rows: 10, days: [{ count: 0 }, { count: 4 }, { count: 1 }] });
  expect(facts.days[2]?.day).toBe(new Date(facts.newestAt ?? 0).toISOString().slice(0, 10));
  expect(Date.now() - (facts.oldestAt ?? 0)).toBeGreaterThan(39 * day);
  expect(facts.bytes).toBeGreaterThan(0);
  expect(await countReplaysOlderThan(database, 30 * day)).toBe(5);
  expect(await deleteReplaysOlderThan(database, 30 * day, 3)).toBe(3);
  expect(await deleteReplaysOlderThan(database, 30 * day, 3)).toBe(2);
  expect(await replayFacts(database)).toMatchObject({ rows: 5 });
});

test('the archive: its size, its oldest row, what came within a day', async () => {
  await streams.sql(
    `insert into m10_recovery.dead_letter_archive (dl_msg_id, archived_at)
     values ('1-1', now()), ('1-2', now() - interval '3 days')`,
  );
  const facts = await archiveFacts(streams.database);
  expect(facts).toMatchObject({ rows: 2, lastDay: 1 });
  expect(Date.now() - (facts.oldestAt ?? 0)).toBeGreaterThan(2 * day);
});

test('what the four jobs need is there at 022', async () => {
  const retention = createRetentionCleanup({
    ...{ schedule: '0 3 * * 0', timeout: day, budget: day, batch: 10 },
    ...{ 'dead-letter-archive': day, 'replay-log': day, outbox: day },
  });
  const jobs = [createDlReconcile(), createMatviewRefresh({ view: 'v' }), retention, createReclaimGc()];
  const missing = await missingNeeds(
    streams.database,
    jobs.map((job) => job.needs),
  );
  expect(missing).toEqual([[], [], [], []]);
});

test('any entry comes out of a payload as it went in, and as the backend writes it where it can', () => {
  const field = (name: string | Buffer, value: string | Buffer) =>
    [Buffer.from(name), Buffer.from(value)] as const;
  const plain = [field('a', 'ä "quoted"'), field('b', '')];
  expect(payloadOf(plain)).toEqual({ a: 'ä "quoted"', b: '' });
  for (const fields of [
    plain,
    [field('a', '1'), field('a', '2')],
    [field(Buffer.from([0xff]), 'x'), field('b', 'a\u0000b')],
    [field('__proto__', 'x')],
    [field('encoding', 'base64'), field('fields', '[]')],
  ]) {
    expect(fieldsOfPayload(JSON.stringify(payloadOf(fields)))).toEqual(fields);
  }
  // Other workers may keep numbers and objects.
  expect(
    fieldsOfPayload('{"n": 9007199254740993, "o": {"x": 1.10}, "s": "a\\u00e9"}').map(([, value]) =>
      value.toString(),
    ),
  ).toEqual(['9007199254740993', '{"x":1.10}', 'aé']);
  expect(excerptOf([field('body', `line\n${'x'.repeat(1_000)}`)])).toMatch(/^body: line x{500,} …$/);
});
