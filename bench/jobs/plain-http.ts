// The limit of deliveries: node plain-http.js URL CONCURRENCY COUNT, the same requests without an outbox. Each loop
// sends its next request as soon as the one before is answered. A JSON line out.
import { Agent, request } from 'undici';

const [url = '', concurrency = '1', count = '1'] = process.argv.slice(2);
const dispatcher = new Agent({ connections: Number(concurrency), pipelining: 1 });
const body = JSON.stringify({ candidate: 'bench', kind: 'delivery' });
let left = Number(count);
let number = 0;

async function loop(): Promise<void> {
  while (left > 0) {
    left -= 1;
    number += 1;
    const answer = await request(url, {
      dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': String(number) },
      body,
    });
    await answer.body.dump();
    if (answer.statusCode !== 200) throw new Error(`HTTP ${answer.statusCode}`);
  }
}

const started = performance.now();
await Promise.all(Array.from({ length: Number(concurrency) }, loop));
process.stdout.write(`${JSON.stringify({ seconds: (performance.now() - started) / 1000 })}\n`);
await dispatcher.destroy();
