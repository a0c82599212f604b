// Drains pg-boss's own queue with a no-op handler: node pg-boss.mjs URL COUNT BATCH, a JSON line out.
import pg from 'pg';
import { PgBoss } from 'pg-boss';

const [connectionString = '', count, batch] = [
  process.argv[2],
  Number(process.argv[3]),
  Number(process.argv[4]),
];
// No maintenance and no schedules: neither takes part in what is measured.
const boss = new PgBoss({ connectionString, supervise: false, schedule: false, max: 2 });
boss.on('error', (error) => {
  throw error;
});
await boss.start();
const queue = 'drain';
await boss.createQueue(queue);
for (let at = 0; at < count; at += 5_000) {
  const size = Math.min(5_000, count - at);
  await boss.insert(
    queue,
    Array.from({ length: size }, (_, n) => ({ data: { n: at + n } })),
  );
}
const client = new pg.Client({ connectionString });
await client.connect();
await client.query('VACUUM ANALYZE');
await client.query('CHECKPOINT');
await client.end();

// Fetched and completed by hand: its own worker waits half a second at least between two batches.
const options = { batchSize: batch, ignoreStartAfter: true };
const started = performance.now();
let done = 0;
for (;;) {
  const jobs = await boss.fetch(queue, options);
  if (jobs.length === 0) break;
  await boss.complete(
    queue,
    jobs.map((job) => job.id),
  );
  done += jobs.length;
}
const seconds = (performance.now() - started) / 1000;
if (done !== count) throw new Error(`pg-boss handed out ${done} of ${count}`);
process.stdout.write(`${JSON.stringify({ seconds })}\n`);
await boss.stop({ graceful: false });
