import { once } from 'node:events';
import { createServer } from 'node:http';
import pg from 'pg';
import type { Trial } from '../../trial/trial.js';
import type { Stage } from '../stage.js';

/** The jobs run by themselves now: what the application puts into its outbox is delivered a moment later. */
export async function jobsAtWork(stage: Stage, trial: Trial): Promise<void> {
  await stage.say('carol', '/m10 jobs');
  await stage.text(/Jobs of production/);
  const receiver = await startReceiver();
  try {
    stage.tell('The application publishes two events: one for another service, one for this channel');
    await publish(trial, [
      ['http:shipment', { url: `${receiver.url}/shipments`, body: { order: 4711 } }],
      ['notify:orders', { text: 'Order 4711 is on its way.' }],
    ]);
    stage.tell(`The other service was sent ${await receiver.received}`);
    await stage.message('notice:production:');
  } finally {
    await receiver.close();
  }
  await stage.say('carol', '/m10 outbox');
  await stage.text(/Outbox of production/);
}

async function publish(trial: Trial, events: readonly (readonly [string, object])[]): Promise<void> {
  const client = new pg.Client({ connectionString: trial.databases.production });
  await client.connect();
  try {
    for (const [type, payload] of events) {
      await client.query('SELECT m10_recovery.publish_outbox($1, $2, $3, $4)', [
        'order',
        '4711',
        type,
        JSON.stringify(payload),
      ]);
    }
  } finally {
    await client.end();
  }
}

/** A service on this machine that takes deliveries; `received` is the first of them, in words. */
async function startReceiver() {
  let resolve: (words: string) => void = () => undefined;
  const received = new Promise<string>((taken) => {
    resolve = taken;
  });
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      response.end('taken');
      const key = String(request.headers['idempotency-key'] ?? 'none');
      resolve(`${request.method} ${request.url} ${body} with the idempotency key ${key}`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
