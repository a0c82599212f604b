// Drains graphile-worker's own queue with a no-op task: node graphile-worker.mjs URL COUNT BATCH, a JSON line out.
import { Logger, run, runMigrations } from 'graphile-worker';
import pg from 'pg';

const [connectionString = '', count, batch] = [
  process.argv[2],
  Number(process.argv[3]),
  Number(process.argv[4]),
];
const logger = new Logger(() => () => undefined);
await runMigrations({ connectionString, logger });

const client = new pg.Client({ connectionString });
await client.connect();
// As its own add_jobs makes them, and without a named queue: those cost it a lock each.
await client.query(
  `SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(
     SELECT row('handle', json_build_object('n', n), null, null, null, null, null, null)::graphile_worker.job_spec
       FROM generate_series(1, $1::int) AS n))`,
  [count],
);
await client.query('VACUUM ANALYZE');
await client.query('CHECKPOINT');

let left = count;
let started = 0;
let resolve = () => undefined;
const drained = new Promise((done) => {
  resolve = done;
});
const runner = await run({
  logger,
  noHandleSignals: true,
  preset: {
    worker: {
      connectionString,
      // Fetches a whole batch at once and hands it out from memory.
      localQueue: { size: batch },
      // More than that only made it slower here, at either batch.
      concurrentJobs: 24,
      // What ends in the same turn is completed by one statement.
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
      maxPoolSize: 26,
    },
  },
  taskList: {
    handle: () => {
      // The first fetch is in its favour: connecting and starting are not measured.
      if (started === 0) started = performance.now();
      left -= 1;
      if (left === 0) resolve();
    },
  },
});
await drained;
// The last ones are done when they are gone from the table.
for (let rows = 1; rows > 0; ) {
  rows = (await client.query('SELECT 1 FROM graphile_worker._private_jobs LIMIT 1')).rows.length;
}
process.stdout.write(`${JSON.stringify({ seconds: (performance.now() - started) / 1000 })}\n`);
await runner.stop();
await client.end();
