import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { until } from '../../store/poll.js';
import { compiled } from '../../support/compiled.js';
import { usePost } from './post.js';

const post = usePost();
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A processor in a process of its own, that writes a line for each event that it handles itself. */
async function otherProcess(config: object): Promise<ChildProcess> {
  const dist = await compiled();
  const file = join(post.world.directory, `processor-${Date.now()}.mjs`);
  const from = (path: string) => JSON.stringify(pathToFileURL(join(dist, 'src', path)).href);
  await writeFile(
    file,
    `import { connect } from ${from('clients/postgres.js')};
     import { JobsFile } from ${from('config-jobs.js')};
     import { createOutboxProcessor } from ${from('scheduler/jobs/outbox-processor.js')};
     const { url, config } = ${JSON.stringify({ url: post.url, config })};
     const { database } = await connect({
       url, applicationName: 'killed', statementTimeoutMs: 60_000, lockTimeoutMs: 10_000, connectTimeoutMs: 10_000,
     });
     const job = createOutboxProcessor({
       config: JobsFile.parse({ target: 't', 'outbox-processor': config })['outbox-processor'],
       channel: 'C1', notice: async () => {}, processes: {},
       handlers: { 'local:': async () => {
         process.stdout.write('handled\\n');
         await new Promise((resolve) => setTimeout(resolve, 50));
       } },
     });
     await job.run({
       target: { name: 't', directory: '/', env: {} }, database, redis: async () => { throw new Error('none'); },
       lock: { name: job.lock, holder: 'killed', held: () => true }, signal: new AbortController().signal,
       dryRun: false, now: Date.now, log: { info() {}, warn() {}, error() {} },
     });`,
  );
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
  await until('its session is gone', async () => {
    const rows = await post.sql(
      "select 1 from pg_stat_activity where datname = current_database() and application_name = 'killed'",
    );
    return rows.length === 0;
  });
}

const pending = async () => (await post.rows()).filter((row) => row.processed_at === null);

test('a processor that is killed between claim and completion: every event is delivered, under the same key', async () => {
  const hook = await post.receiver();
  const ids: string[] = [];
  for (let n = 0; n < 30; n += 1) ids.push(await post.publish('http:a', { url: hook.url }));
  // Some are answered, and then nothing comes any more.
  hook.answer = (_, response) => {
    if (hook.got.length <= 8) response.end();
  };
  const http = { allow: ['127.0.0.1'], concurrency: 4, timeout: '2s' };
  const child = await otherProcess({ http });
  await until('deliveries hang', () => hook.got.length >= 12);
  await kill(child);
  const left = await pending();
  expect(left.length).toBeGreaterThanOrEqual(22);
  const leased = left.filter((row) => row.next_retry_at !== null);
  expect(leased.length).toBeGreaterThanOrEqual(4);

  hook.answer = (_, response) => void response.end();
  const before = hook.got.length;
  await post.run({ config: { http } });
  // What is on the dead processor's lease waits for its end.
  const later = await pending();
  expect(later.map((row) => row.id).sort()).toEqual(leased.map((row) => row.id).sort());
  expect(hook.got.slice(before).some(({ id }) => later.some((row) => row.id === id))).toBe(false);
  const [longest] = await post.sql(
    'select extract(epoch from max(next_retry_at) - now())::float8 as s from m10_recovery.outbox where processed_at is null',
  );
  expect(Number(longest?.s)).toBeLessThan(60);

  await post.sql(
    "update m10_recovery.outbox set next_retry_at = now() - interval '1 second' where processed_at is null",
  );
  await post.run({ config: { http } });
  expect(await pending()).toEqual([]);
  expect(new Set(hook.got.map(({ id }) => id))).toEqual(new Set(ids));
});

test('a processor that is killed while it handles events itself leaves them all as they were', async () => {
  for (let n = 0; n < 20; n += 1) await post.publish('local:a', {});
  const child = await otherProcess({});
  let handled = 0;
  child.stdout?.on('data', (text: Buffer) => {
    handled += String(text).split('\n').length - 1;
  });
  await until('some are handled', () => handled >= 3);
  await kill(child);
  const left = await pending();
  expect(left).toHaveLength(20);
  expect(left.every((row) => row.retry_count === 0 && row.next_retry_at === null)).toBe(true);

  const again: string[] = [];
  await post.run({ deps: { handlers: { 'local:': (event) => void again.push(event.id) } } });
  expect(again).toHaveLength(20);
  expect(await pending()).toEqual([]);
});
