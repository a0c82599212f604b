import { expect, test } from 'vitest';
import { connect } from '../../../src/clients/postgres.js';
import { createOutboxWake } from '../../../src/scheduler/outbox/wake.js';
import { eventually } from '../../support/processes.js';
import { useStreams } from '../jobs/streams.js';

const streams = useStreams();

test('a published event is told at once, also after the session was cut, and not after the end', async () => {
  let woken = 0;
  const wake = createOutboxWake({
    connect: (hooks) =>
      connect({
        url: streams.databaseUrl,
        applicationName: 'listening test',
        statementTimeoutMs: 10_000,
        lockTimeoutMs: 2_000,
        connectTimeoutMs: 5_000,
        ...hooks,
      }),
    onWake: () => {
      woken += 1;
    },
    log: { info: () => {}, warn: () => {}, error: () => {} },
  });
  const publish = (n: number) =>
    streams.sql(`select m10_recovery.publish_outbox('order', $1, 'http:x', '{}')`, `w${n}`);
  wake.start();
  // Each new connection wakes once, for what may have been missed.
  expect(await eventually(async () => woken === 1)).toBe(true);
  await publish(1);
  expect(await eventually(async () => woken === 2)).toBe(true);
  await streams.sql(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'listening test'`,
  );
  expect(await eventually(async () => woken === 3)).toBe(true);
  await publish(2);
  expect(await eventually(async () => woken >= 4)).toBe(true);
  await wake.stop();
  const before = woken;
  await publish(3);
  expect(woken).toBe(before);
});
