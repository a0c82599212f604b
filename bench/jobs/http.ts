import { join } from 'node:path';
import { spread, table } from '../table.js';
import type { World } from '../world.js';
import { measured, Seconds } from './child.js';
import { drain } from './outbox-job.js';
import { startReceiver } from './start-receiver.js';
import { expectDrained, fillOutbox, hardenedDatabase } from './target.js';

export interface HttpSize {
  /** How long the receiver takes for an answer, ms, and how many events it gets a round. */
  readonly receivers: readonly { readonly delayMs: number; readonly events: number }[];
  readonly concurrencies: readonly number[];
}

/** Deliveries of the outbox beside the same requests sent by a plain undici loop, in turn. */
export async function benchHttp(world: World, rounds: number, size: HttpSize): Promise<string> {
  const url = await hardenedDatabase(world);
  const rows: string[][] = [];
  for (const { delayMs, events } of size.receivers) {
    const receiver = await startReceiver(world, delayMs);
    try {
      for (const concurrency of size.concurrencies) {
        const ours: number[] = [];
        const plain: number[] = [];
        const deliver = async () => {
          const payload = { url: receiver.url, body: { candidate: 'bench', kind: 'delivery' } };
          await fillOutbox(url, { count: events, type: 'http:bench', payload });
          const { seconds } = await drain(world, {
            url,
            batch: 100,
            http: { to: receiver.url, concurrency },
          });
          await expectDrained(url);
          ours.push(events / seconds);
        };
        const send = async () => {
          const script = join(world.dist, 'bench', 'jobs', 'plain-http.js');
          const args = [script, receiver.url, String(concurrency), String(events)];
          plain.push(events / (await measured(Seconds, process.execPath, args)).seconds);
        };
        for (let round = 0; round < rounds; round += 1) {
          for (const part of round % 2 === 0 ? [deliver, send] : [send, deliver]) await part();
        }
        const ratios = ours.map((own, n) => own / (plain[n] ?? Number.NaN));
        rows.push([
          `${delayMs} ms, ${concurrency} at once`,
          spread(ours, 0),
          spread(plain, 0),
          spread(ratios, 2),
        ]);
      }
    } finally {
      receiver.stop();
    }
  }
  return table(['receiver', 'the outbox, events/s', 'plain undici, requests/s', 'ratio'], rows);
}
