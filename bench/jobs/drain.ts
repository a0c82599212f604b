// Runs the outbox-processor once, over what is pending: node drain.js OPTIONS, a JSON line out.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../src/clients/postgres.js';
import { createProcesses } from '../../src/clients/process.js';
import type { TargetConfig } from '../../src/config.js';
import { JobsFile, jobsConfig } from '../../src/config-jobs.js';
import { GatePolicy } from '../../src/runbook/definition.js';
import { createOutboxProcessor } from '../../src/scheduler/jobs/outbox-processor.js';
import { quiet } from './lock-name.js';
import { type Drained, DrainOptions } from './outbox-job.js';

const options = DrainOptions.parse(JSON.parse(process.argv[2] ?? ''));
const { url, batch, http } = options;
const config = jobsConfig(
  JobsFile.parse({
    target: 'bench',
    'outbox-processor': {
      batch,
      ...(http === undefined
        ? {}
        : { http: { allow: [new URL(http.to).host], concurrency: http.concurrency } }),
    },
  }),
)['outbox-processor'];

const directory = await mkdtemp(join(tmpdir(), 'm10-drain-'));
const connection = await connect({
  url,
  applicationName: 'bench drain',
  statementTimeoutMs: 600_000,
  lockTimeoutMs: 10_000,
  connectTimeoutMs: 5_000,
});
if (connection.kind !== 'connected') throw new Error(connection.message);
const { database } = connection;
const pending = await database.query(
  'SELECT count(*)::int AS count FROM m10_recovery.outbox WHERE processed_at IS NULL',
);
const count = Number(pending.rows[0]?.count);

/** When each tenth of the events had been handled. */
const marks: number[] = [];
let handled = 0;
let next = Math.ceil(count / 10);
function handle(): void {
  handled += 1;
  if (handled < next) return;
  marks.push(performance.now());
  next = Math.ceil(((marks.length + 1) * count) / 10);
}

const target: TargetConfig = {
  name: 'bench',
  databaseUrl: url,
  redisUrl: null,
  metricsUrl: null,
  directory,
  env: {},
  gate: GatePolicy.parse({}),
};
const job = createOutboxProcessor({
  config,
  channel: 'C0BENCH',
  notice: async () => undefined,
  processes: createProcesses({ directory: join(directory, 'children') }),
  handlers: { 'bench:': handle },
});
const started = performance.now();
await job.run({
  target,
  database,
  redis: async () => {
    throw new Error('the outbox needs no Redis');
  },
  lock: { name: job.lock, holder: 'bench', held: () => true },
  signal: new AbortController().signal,
  dryRun: false,
  redact: (text) => text,
  now: Date.now,
  log: quiet,
});
const seconds = (performance.now() - started) / 1000;
const tenths = marks.map((mark, n) => (mark - (marks[n - 1] ?? started)) / 1000);
process.stdout.write(`${JSON.stringify({ seconds, tenths } satisfies Drained)}\n`);
await database.close();
await rm(directory, { recursive: true, force: true });
