import { describe, expect, test } from 'vitest';
import { findDeadLetter, replayDeadLetter, replayKey, wasReplayed } from '../../../src/clients/m10/replay.js';
import { replayMarker, streamNames } from '../../../src/clients/m10/stream-names.js';
import { createDlReconcile } from '../../../src/scheduler/jobs/dl-reconcile.js';
import { useStreams } from '../../scheduler/jobs/streams.js';

const streams = useStreams();
const by = 'UALICE';
const deps = (message: string) => ({ database: streams.database, redis: streams.redis, message });
const log = () =>
  streams.sql(
    'select original_msg_id, dl_msg_id, new_msg_id, replayed_by, idempotency_key::text as key from m10_recovery.replay_log',
  );

/** Messages of the main stream that are copies of this one, with their fields. */
async function copiesOf(original: string) {
  const all = await streams.redis.xrange(streamNames.main, '-', '+');
  return all
    .map(([id, flat]) => {
      const fields: Record<string, string> = {};
      for (let i = 0; i < flat.length; i += 2) fields[flat[i] ?? ''] = flat[i + 1] ?? '';
      return { id, fields };
    })
    .filter(({ fields }) => fields.replay_of === original);
}

/** A pending message and its dead letter. */
async function given() {
  const [original = ''] = await streams.pending(1);
  return { original, letter: await streams.deadLetter(original) };
}

describe('a dead letter is put back', () => {
  test('once, as the message it was, and the log knows', async () => {
    const { original, letter } = await given();
    const result = await replayDeadLetter({ ...deps(letter), by });
    const copies = await copiesOf(original);
    expect(copies).toHaveLength(1);
    expect(result).toEqual({
      kind: 'replayed',
      original,
      deadLetter: letter,
      newId: copies[0]?.id,
      noted: true,
    });
    expect(copies[0]?.fields).toEqual({
      candidate_id: '1',
      body: 'message 0',
      replay_of: original,
      replay_key: replayKey(original),
    });
    expect(await log()).toEqual([
      {
        original_msg_id: original,
        dl_msg_id: letter,
        new_msg_id: copies[0]?.id,
        replayed_by: by,
        key: replayKey(original),
      },
    ]);
    // A worker that reclaimed the original would evaluate it a second time.
    expect(await streams.pendingIds()).toEqual([]);
    expect(await streams.redis.sismember(streamNames.replayProcessed, original)).toBe(1);
    expect(await streams.redis.ttl(streamNames.replayProcessed)).toBeGreaterThan(86_000);
    expect(await streams.sql('select dl_msg_id from m10_recovery.dead_letter_archive')).toEqual([
      { dl_msg_id: letter },
    ]);
  });

  test('and never again: not by either id, not without the log, not without the marker', async () => {
    const { original, letter } = await given();
    const first = await replayDeadLetter({ ...deps(letter), by });
    const newId = first.kind === 'replayed' ? first.newId : '';
    const again = { kind: 'already', original, newId };
    expect(await replayDeadLetter({ ...deps(letter), by: 'UBOB' })).toMatchObject({ ...again, by });
    expect(await replayDeadLetter({ ...deps(original), by: 'UBOB' })).toMatchObject({ ...again, by });
    await streams.redis.del(replayMarker(original), streamNames.replayProcessed);
    expect(await replayDeadLetter({ ...deps(letter), by })).toMatchObject({ ...again, by });
    await streams.redis.set(replayMarker(original), newId);
    await streams.sql('truncate m10_recovery.replay_log');
    expect(await replayDeadLetter({ ...deps(letter), by })).toMatchObject({ ...again, by: null });
    expect(await copiesOf(original)).toHaveLength(1);
  });

  test('from the dead letter when the main stream has cut the message, and from the archive after a trim', async () => {
    const { original, letter } = await given();
    const body = Buffer.from([0xff, 0, 0x41]);
    const binary = await streams.deadLetter('5-0', { body });
    await streams.redis.xtrim(streamNames.main, 'MAXLEN', '=', 0);
    await createDlReconcile().run(await streams.context());
    await streams.redis.xtrim(streamNames.deadLetters, 'MAXLEN', '=', 0);
    for (const message of [letter, '5-0']) {
      expect(await findDeadLetter(deps(message))).toMatchObject({
        where: 'archive',
        unfit: null,
        replayed: null,
      });
      expect(await replayDeadLetter({ ...deps(message), by })).toMatchObject({ kind: 'replayed' });
    }
    const [copy] = await copiesOf(original);
    expect(copy?.fields).toEqual({
      candidate_id: '7',
      failure_match_id: '0f8fad5b-d9cb-469f-a165-70867728950e',
      body: 'a message',
      replay_of: original,
      replay_key: replayKey(original),
    });
    const [, exact] = await streams.redis.xrangeBuffer(streamNames.main, '-', '+');
    expect(exact?.[1].some((field) => field.equals(body))).toBe(true);
    expect((await replayDeadLetter({ ...deps(binary), by })).kind).toBe('already');
  });

  test('a replay that fails again is a message of its own', async () => {
    const { original, letter } = await given();
    const first = await replayDeadLetter({ ...deps(letter), by });
    const newId = first.kind === 'replayed' ? first.newId : '';
    const second = await streams.deadLetter(newId, { replay_of: original });
    expect(await replayDeadLetter({ ...deps(second), by })).toMatchObject({
      kind: 'replayed',
      original: newId,
    });
    const [copy] = await copiesOf(newId);
    expect(copy?.fields.replay_key).toBe(replayKey(newId));
  });
});

describe('what is not put back', () => {
  test('what is nowhere', async () => {
    await streams.pending(1);
    for (const message of ['1-1', 'nonsense', '99999999999999999999-0']) {
      expect(await replayDeadLetter({ ...deps(message), by })).toEqual({ kind: 'not-found' });
      expect(await findDeadLetter(deps(message))).toBeNull();
      expect(await wasReplayed(deps(message))).toEqual({ kind: 'not-found' });
    }
  });

  test('what names no message, such as an outbox event that was given up', async () => {
    await streams.pending(1);
    await streams.sql(
      "select m10_recovery.archive_dead_letter('outbox:7', null, null, null, '{}', 'gone', 5, now(), 'outbox')",
    );
    const letter = await streams.deadLetter(null);
    for (const message of ['outbox:7', letter]) {
      const result = await replayDeadLetter({ ...deps(message), by });
      expect(result).toMatchObject({
        kind: 'unfit',
        why: expect.stringContaining('does not name the message'),
      });
    }
    expect(await log()).toEqual([]);
  });

  test('anything while nobody would read it; then nothing is claimed either', async () => {
    const { original, letter } = await given();
    await streams.redis.xgroup('DESTROY', streamNames.main, streamNames.group);
    expect(await replayDeadLetter({ ...deps(letter), by })).toMatchObject({ kind: 'unfit' });
    await streams.redis.del(streamNames.main);
    expect(await replayDeadLetter({ ...deps(letter), by })).toMatchObject({ kind: 'unfit' });
    expect(await log()).toEqual([]);
    expect(await copiesOf(original)).toEqual([]);
  });

  test("what another worker replayed, by its row or by the set, though it did not note the new message's id", async () => {
    const first = await given();
    await streams.sql(
      'select * from m10_recovery.record_replay($1, $2, null, null, null, $3)',
      first.original,
      first.letter,
      'worker:1',
    );
    expect(await replayDeadLetter({ ...deps(first.letter), by })).toMatchObject({
      kind: 'already',
      newId: null,
      by: 'worker:1',
    });
    const second = await given();
    await streams.redis.sadd(streamNames.replayProcessed, second.letter);
    expect(await replayDeadLetter({ ...deps(second.letter), by })).toMatchObject({
      kind: 'already',
      by: null,
    });
    expect(await copiesOf(second.original)).toEqual([]);
  });
});

describe('nothing is doubled or lost', () => {
  test('killed before any command, and asked again', async () => {
    const whole = await streams.session();
    await replayDeadLetter({ ...whole, message: (await given()).letter, by });
    const all = whole.count();
    expect(all).toBeGreaterThan(8);
    for (let breakAfter = 0; breakAfter < all; breakAfter += 1) {
      for (const reconciled of [false, true]) {
        const { original, letter } = await given();
        const broken = await streams.session({ breakAfter });
        const outcome = await replayDeadLetter({ ...broken, message: letter, by }).catch(() => null);
        const before = await copiesOf(original);
        expect(before.length).toBeLessThanOrEqual(1);
        const known = await wasReplayed(deps(letter));
        expect(known.kind).toBe(before.length === 1 ? 'replayed' : 'not-replayed');
        // The last command is the note in the log: the message is back, which must not be called a failure.
        if (outcome !== null) expect(outcome).toMatchObject({ kind: 'replayed', noted: false });
        if (reconciled) await createDlReconcile().run(await streams.context());
        const again = await replayDeadLetter({ ...deps(letter), by });
        const copies = await copiesOf(original);
        expect(copies).toHaveLength(1);
        expect(again).toMatchObject({
          kind: before.length === 1 ? 'already' : 'replayed',
          newId: copies[0]?.id,
        });
        if (reconciled || before.length === 0) {
          const noted = (await log()).find((row) => row.original_msg_id === original);
          expect(noted?.new_msg_id).toBe(copies[0]?.id);
        }
      }
    }
  });

  test('many at once, on sessions of their own', async () => {
    const { original, letter } = await given();
    const sessions = await Promise.all(Array.from({ length: 6 }, () => streams.session()));
    const results = await Promise.all(
      sessions.map((session) => replayDeadLetter({ ...session, message: letter, by })),
    );
    expect(results.filter(({ kind }) => kind === 'replayed')).toHaveLength(1);
    expect(results.filter(({ kind }) => kind === 'already')).toHaveLength(5);
    expect(await copiesOf(original)).toHaveLength(1);
  });

  test('a key of another type, and a user who may not write, stop it before anything is added', async () => {
    const { original, letter } = await given();
    await streams.redis.hset(streamNames.replayProcessed, 'a', '1');
    await expect(replayDeadLetter({ ...deps(letter), by })).rejects.toThrow('WRONGTYPE');
    await streams.redis.del(streamNames.replayProcessed);
    const url = new URL(streams.redisUrl);
    url.username = 'reader';
    url.password = 'reader-password';
    await streams.redis.acl(
      'SETUSER',
      'reader',
      'on',
      '>reader-password',
      '+@all',
      '%R~*',
      `~${streamNames.main}`,
    );
    const reader = await streams.session({ redisUrl: url.href });
    await expect(replayDeadLetter({ ...reader, message: letter, by })).rejects.toThrow(/NOPERM|permission/);
    await streams.redis.acl('DELUSER', 'reader');
    expect(await copiesOf(original)).toEqual([]);
    expect(await replayDeadLetter({ ...deps(letter), by })).toMatchObject({ kind: 'replayed' });
  });
});

test('a dead letter is shown with all that an approver wants to see', async () => {
  const { original, letter } = await given();
  const shown = await findDeadLetter(deps(letter));
  expect(shown).toMatchObject({
    deadLetter: letter,
    original,
    candidateId: '7',
    reason: 'too many reclaims',
    reclaimCount: 5,
    where: 'stream',
    unfit: null,
    replayed: null,
  });
  expect(shown?.excerpt).toContain('body: a message');
  expect(shown?.deadLetteredAt).toBeGreaterThan(Date.now() - 600_000);
  await replayDeadLetter({ ...deps(letter), by });
  expect((await findDeadLetter(deps(original)))?.replayed).toMatchObject({ by });
});
