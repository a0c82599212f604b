import { setTimeout as sleep } from 'node:timers/promises';
import { table } from '../table.js';
import type { World } from '../world.js';
import { startBotWithJobs } from './bot.js';
import { startReceiver } from './start-receiver.js';
import { withClient } from './target.js';

export interface LatencySize {
  /** Events that are published one by one, and the pause between two, ms. */
  readonly events: number;
  readonly everyMs: number;
  /** When the processor looks by itself. */
  readonly schedule: string;
}

/** How long the last event may wait for its claim, ms. */
const DEADLINE_MS = 120_000;

/** From the publishing of an event to its claim, by the target's own clock: woken by a notification, and by the schedule. */
export async function benchLatency(world: World, _rounds: number, size: LatencySize): Promise<string> {
  const rows: string[][] = [];
  for (const [name, section] of [
    [`LISTEN/NOTIFY beside the schedule ${size.schedule}`, { listen: true, schedule: size.schedule }],
    [`the schedule ${size.schedule} alone`, { schedule: size.schedule }],
  ] as const) {
    const ms = await latencies(world, size, section);
    const at = (share: number) => ms[Math.min(ms.length - 1, Math.floor(ms.length * share))] ?? Number.NaN;
    rows.push([name, String(ms.length), at(0.5).toFixed(1), at(0.99).toFixed(1)]);
  }
  return table(['from publish to claim', 'events', 'p50 ms', 'p99 ms'], rows);
}

async function latencies(
  world: World,
  size: LatencySize,
  section: Readonly<Record<string, unknown>>,
): Promise<number[]> {
  const receiver = await startReceiver(world, 0);
  const http = { allow: [new URL(receiver.url).host] };
  const { trial } = await startBotWithJobs(
    world,
    { 'outbox-processor': { ...section, http } },
    'outbox-processor',
  );
  try {
    return await withClient(trial.databases.production, async (client) => {
      await client.query(NOTE_CLAIMS);
      const payload = JSON.stringify({ url: receiver.url, body: { candidate: 'bench' } });
      const publish = async (n: number) => {
        const parameters = [`bench-${n}`, payload];
        await client.query(
          "SELECT m10_recovery.publish_outbox('candidate', $1, 'http:bench', $2)",
          parameters,
        );
      };
      const claimed = async () => {
        const { rows } = await client.query<{ ms: number }>('SELECT ms FROM bench_claims ORDER BY ms');
        return rows.map(({ ms }) => ms);
      };
      const all = async (count: number) => {
        for (const deadline = Date.now() + DEADLINE_MS; Date.now() < deadline; await sleep(100)) {
          const ms = await claimed();
          if (ms.length >= count) return ms;
        }
        throw new Error(`not all ${count} events were claimed in time`);
      };
      // The first one also finds connections and code cold.
      await publish(0);
      await all(1);
      await client.query('TRUNCATE bench_claims');
      for (let n = 1; n <= size.events; n += 1) {
        await publish(n);
        await sleep(size.everyMs);
      }
      return all(size.events);
    });
  } finally {
    await trial.stop();
    receiver.stop();
  }
}

/** The target notes when an event is claimed first: both ends of what is measured are read off one clock. */
const NOTE_CLAIMS = `
CREATE TABLE bench_claims (id bigint PRIMARY KEY, ms float8 NOT NULL);
CREATE FUNCTION bench_note_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO public.bench_claims
  VALUES (new.id, extract(epoch FROM clock_timestamp() - new.created_at) * 1000) ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
CREATE TRIGGER bench_note_claim AFTER UPDATE ON m10_recovery.outbox FOR EACH ROW
  WHEN (old.processed_by IS NULL AND new.processed_by IS NOT NULL) EXECUTE FUNCTION bench_note_claim();
`;
