import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CHANNEL, usePost } from './post.js';

const post = usePost();

/** Makes what waits for its retry due. */
const due = () =>
  post.sql(
    "update m10_recovery.outbox set next_retry_at = now() - interval '1 second' where processed_at is null and next_retry_at is not null",
  );

test('each type goes where it belongs, and the counts say so', async () => {
  const hook = await post.receiver();
  const ids = [
    await post.publish('http:orders', {
      url: `${hook.url}/orders`,
      method: 'PUT',
      headers: { 'X-Mine': 'a', Host: 'evil' },
      body: { n: 1 },
    }),
    await post.publish('webhook:orders', { webhook_url: `${hook.url}/hook`, data: { n: 2 } }),
    await post.publish('notify:ops', { text: 'Attention' }),
    await post.publish('notify:ops', { message: 'Over there', channel: 'COTHER' }),
    await post.publish('audit:eu', { n: 3 }),
    await post.publish('local:x', { n: 4 }),
  ];
  const local: string[] = [];
  const result = await post.run({
    config: {
      http: { allow: [`127.0.0.1:${hook.port}`] },
      handlers: { 'audit:': { url: `${hook.url}/audit` } },
      'notify-channels': ['COTHER'],
    },
    deps: { handlers: { 'local:': (event) => void local.push(event.id) } },
  });

  expect(result.counts).toEqual({ delivered: 6, retried: 0, deadLettered: 0 });
  expect(result.summary).toBe('Delivered 6 events.');
  expect(result.output).toContain('notify:ops: 2 delivered');
  for (const row of await post.rows()) {
    expect(row).toMatchObject({ retry_count: 0, last_error: null, next_retry_at: null });
    expect(row.processed_at).toBeInstanceOf(Date);
    expect(row.processed_by).toMatch(/^m10bot:test:\d+$/);
  }
  const put = hook.got.find(({ path }) => path === '/orders');
  expect(put).toMatchObject({
    method: 'PUT',
    body: '{"n":1}',
    id: ids[0],
    headers: { 'x-mine': 'a', host: `127.0.0.1:${hook.port}` },
  });
  expect(hook.got.find(({ path }) => path === '/hook')).toMatchObject({
    method: 'POST',
    body: '{"n":2}',
    id: ids[1],
  });
  const audit = hook.got.find(({ path }) => path === '/audit');
  expect(JSON.parse(audit?.body ?? '')).toMatchObject({
    event_id: ids[4],
    aggregate_type: 'order',
    event_type: 'audit:eu',
    payload: { n: 3 },
  });
  expect(post.notices).toEqual([
    {
      channel: CHANNEL,
      text: 'Attention',
      eventId: expect.stringMatching(new RegExp(`^${ids[2]}@\\d{13}$`)),
      source: `outbox event ${ids[2]} (notify:ops)`,
    },
    {
      channel: 'COTHER',
      text: 'Over there',
      eventId: expect.stringMatching(new RegExp(`^${ids[3]}@`)),
      source: `outbox event ${ids[3]} (notify:ops)`,
    },
  ]);
  expect(local).toEqual([ids[5]]);
  expect(post.seen.map(({ kind }) => kind)).toEqual(Array(6).fill('processed'));
});

test('a failing event is tried five times with growing pauses, and then is a dead letter with all of it', async () => {
  const hook = await post.receiver();
  hook.answer = (_, response) => void response.writeHead(503).end('try later');
  const id = await post.publish('http:a', { url: `${hook.url}/secret-path`, body: { n: 1 } });
  const config = { http: { allow: ['127.0.0.1'] } };
  const waits: number[] = [];
  for (let tries = 1; tries <= 4; tries += 1) {
    const result = await post.run({ config });
    expect(result.counts).toEqual({ delivered: 0, retried: 1, deadLettered: 0 });
    const row = await post.row(id);
    expect(row).toMatchObject({ retry_count: tries, processed_at: null });
    expect(row.last_error).toBe(`127.0.0.1:${hook.port} answered 503: try later`);
    const [wait] = await post.sql(
      `select round(extract(epoch from next_retry_at - now()) / 10) * 10 as s from m10_recovery.outbox where id = ${id}`,
    );
    waits.push(Number(wait?.s));
    // Not due yet: nobody touches it.
    expect((await post.run({ config })).summary).toBe('No event was due.');
    await due();
  }
  expect(waits).toEqual([30, 60, 120, 240]);
  const last = await post.run({ config });
  expect(last.counts).toEqual({ delivered: 0, retried: 0, deadLettered: 1 });
  expect(last.summary).toContain('answered 503: try later');
  expect(await post.row(id)).toMatchObject({ retry_count: 5, next_retry_at: null });
  expect((await post.row(id)).last_error).toMatch(/^Dead letter after 5 tries: 127/);
  const [letter] = await post.sql('select * from m10_recovery.dead_letter_archive');
  expect(letter).toMatchObject({
    dl_msg_id: `outbox:${id}`,
    reclaim_count: 5,
    payload: {
      event_id: Number(id),
      event_type: 'http:a',
      aggregate_type: 'order',
      payload: { body: { n: 1 } },
    },
  });
  expect(letter?.archived_by).toMatch(/^outbox-processor:m10bot:test/);
  expect(hook.got.map((got) => got.id)).toEqual(Array(5).fill(id));
  expect(post.seen.map(({ kind }) => kind)).toEqual([...Array(5).fill('failed'), 'dead']);
});

test('an unknown type, a poisoned payload and a channel that is not listed fail alone and say what to do', async () => {
  const hook = await post.receiver();
  const bad: [string, unknown, RegExp][] = [
    ['strange', {}, /Nobody handles events of type "strange".*handlers of m10\.yml/],
    ['http:a', {}, /payload cannot be used: url/],
    ['http:b', { url: hook.url, headers: { a: 'b\r\nc: d' } }, /headers\.a/],
    ['webhook:a', 'text', /payload cannot be used/],
    ['notify:a', {}, /text/],
    ['notify:b', { text: 'x', channel: 'CELSEWHERE' }, /"CELSEWHERE".*notify-channels/],
    [
      'http:c',
      { url: 'http://169.254.169.254/latest/meta-data' },
      /169\.254\.169\.254 is not on the allow list/,
    ],
    ['http:d', { url: 'https://elsewhere.example.com/' }, /elsewhere\.example\.com is not on the allow list/],
    ['local:a', {}, /broken\.$/],
  ];
  const ids: string[] = [];
  for (const [type, payload] of bad) ids.push(await post.publish(type, payload));
  const good = await post.publish('http:good', { url: hook.url });
  const result = await post.run({
    config: { http: { allow: [`127.0.0.1:${hook.port}`] } },
    deps: {
      handlers: {
        'local:': () => {
          throw new Error('It is\0 broken.');
        },
      },
    },
  });
  expect(result.counts).toEqual({ delivered: 1, retried: bad.length, deadLettered: 0 });
  expect((await post.row(good)).processed_at).not.toBeNull();
  for (const [index, [, , error]] of bad.entries()) {
    const row = await post.row(ids[index] ?? '');
    expect(row).toMatchObject({ retry_count: 1, processed_at: null });
    expect(row.last_error).toMatch(error);
  }
  // Each of them ends as a dead letter, an unknown type like any other.
  const after = await post.run({
    config: { attempts: 2, http: { allow: [] } },
    deps: { handlers: { 'local:': () => Promise.reject(new Error('again')) } },
    context: { database: await dueThen() },
  });
  expect(after.counts.deadLettered).toBe(bad.length);
  expect(await post.sql('select 1 from m10_recovery.dead_letter_archive')).toHaveLength(bad.length);
});

async function dueThen() {
  await due();
  return post.open();
}

test('a program gets the event on its input, and its exit code decides', async () => {
  const folder = post.world.directory;
  const program = join(folder, 'handler.sh');
  await writeFile(
    program,
    `#!/bin/sh\ncat > "${folder}/got-$M10_EVENT_ID"\ncase "$M10_EVENT_TYPE" in audit:bad) echo "no such table" >&2; exit 3;; audit:slow) sleep 60;; esac\n`,
  );
  await chmod(program, 0o755);
  const good = await post.publish('audit:good', { text: 'grün' });
  const bad = await post.publish('audit:bad', {});
  const slow = await post.publish('audit:slow', {});
  const missing = await post.publish('missing:x', {});
  const result = await post.run({
    config: {
      handlers: { 'audit:': { argv: [program], timeout: '5s' }, 'missing:': { argv: ['./not-there'] } },
    },
  });
  expect(result.counts).toEqual({ delivered: 1, retried: 3, deadLettered: 0 });
  const got = JSON.parse(await readFile(join(folder, `got-${good}`), 'utf8'));
  expect(got).toMatchObject({ event_id: good, event_type: 'audit:good', payload: { text: 'grün' } });
  expect((await post.row(bad)).last_error).toMatch(/ended with exit code 3: no such table/);
  expect((await post.row(slow)).last_error).toMatch(/did not end within 5 s/);
  expect((await post.row(missing)).last_error).toMatch(/could not be started: not found/);
});

test('a notice that cannot be handed on is tried again', async () => {
  const id = await post.publish('notify:ops', { text: 'x' });
  await post.run({ deps: { notice: () => Promise.reject(new Error('the journal is away')) } });
  expect(await post.row(id)).toMatchObject({ retry_count: 1, last_error: 'the journal is away' });
});

test('a dry run tells what would go where and changes nothing', async () => {
  const hook = await post.receiver();
  await post.publish('http:a', { url: `${hook.url}/secret` }, 'one');
  await post.publish('http:a', { url: 'https://user:password@elsewhere.example.com/x' });
  await post.publish('notify:a', { text: 'x' }, 'two');
  await post.publish('strange', {});
  await post.sql(
    "update m10_recovery.outbox set next_retry_at = now() + interval '1 hour' where event_type = 'notify:a'",
  );
  await post.publish('webhook:late', { url: hook.url }, 'two');
  const before = await post.rows();
  const result = await post.run({
    config: { http: { allow: [`127.0.0.1:${hook.port}`] } },
    context: { dryRun: true },
  });
  expect(result.counts).toEqual({ due: 3, waiting: 2 });
  expect(result.output?.split('\n')).toEqual(
    expect.arrayContaining([
      `http:a: 1 now, to 127.0.0.1:${hook.port}`,
      'http:a: 1 now, to nowhere: elsewhere.example.com is not on the allow list (jobs.outbox-processor.http.allow of m10.yml)',
      'notify:a: 0 now, 1 later, to Slack',
      'strange: 1 now, to nobody: no handler has this type',
      `webhook:late: 0 now, 1 later, to 127.0.0.1:${hook.port}`,
    ]),
  );
  expect(result.output).not.toMatch(/secret|password/);
  expect(await post.rows()).toEqual(before);
  expect(hook.got).toEqual([]);
});
