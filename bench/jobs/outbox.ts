import { median, spread, table } from '../table.js';
import type { World } from '../world.js';
import { drain } from './outbox-job.js';
import { type PeerName, type Peers, peerNames, preparePeers } from './peers.js';
import { findPgbench, NO_PGBENCH, pgbench } from './pgbench.js';
import { expectDrained, fillOutbox, hardenedDatabase } from './target.js';

export interface OutboxSize {
  /** Events of a round. */
  readonly events: number;
  readonly batches: readonly number[];
  /** Events of the one drain that shows whether the rate stays. */
  readonly long: number;
  /** Installing the peers takes a while and needs a registry. */
  readonly peers: boolean;
}

type Rate = 'outbox' | 'limit' | PeerName;

/** Drains the outbox into a handler that does nothing, beside the database's limit and two well-known queues. */
export async function benchOutbox(world: World, rounds: number, size: OutboxSize): Promise<string> {
  const url = await hardenedDatabase(world);
  const program = findPgbench(world);
  const notes = program === null ? [NO_PGBENCH] : [];
  let peers: Peers | null = null;
  if (size.peers) {
    peers = await preparePeers(world).catch((error: unknown) => {
      notes.push(`The peers could not be installed, so they are left out: ${String(error)}`);
      return null;
    });
  }
  const rows: string[][] = [];
  for (const batch of size.batches) {
    const parts: { readonly who: Rate; rate(): Promise<number> }[] = [
      { who: 'outbox', rate: () => ourRate(world, url, size.events, batch) },
      ...(program === null
        ? []
        : [{ who: 'limit' as const, rate: () => limit(world, program, url, size.events, batch) }]),
      ...(peers === null
        ? []
        : peerNames.map((who) => ({ who, rate: () => peers.drain(who, size.events, batch) }))),
    ];
    rows.push(await inTurn(batch, rounds, parts));
  }
  const head = ['batch', 'the outbox', 'pgbench', ...peerNames, 'of pgbench', 'of the best peer'];
  return [table(head, rows), ...notes, await long(world, url, size)].join('\n\n');
}

/** Everyone once a round, each round beginning with another one; ratios are taken within a round. */
async function inTurn(
  batch: number,
  rounds: number,
  parts: readonly { readonly who: Rate; rate(): Promise<number> }[],
): Promise<string[]> {
  const all: Partial<Record<Rate, number>>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const rates: Partial<Record<Rate, number>> = {};
    const first = round % parts.length;
    for (const { who, rate } of [...parts.slice(first), ...parts.slice(0, first)]) rates[who] = await rate();
    all.push(rates);
  }
  const of = (pick: (rates: Partial<Record<Rate, number>>) => number | undefined, digits: number) => {
    const values = all.map((rates) => pick(rates) ?? Number.NaN).filter(Number.isFinite);
    return values.length === 0 ? '–' : spread(values, digits);
  };
  const best = (rates: Partial<Record<Rate, number>>) =>
    Math.max(...peerNames.map((peer) => rates[peer] ?? 0));
  return [
    String(batch),
    of((rates) => rates.outbox, 0),
    of((rates) => rates.limit, 0),
    ...peerNames.map((peer) => of((rates) => rates[peer], 0)),
    of((rates) => (rates.outbox ?? Number.NaN) / (rates.limit ?? Number.NaN), 2),
    of((rates) => (rates.outbox ?? Number.NaN) / best(rates), 2),
  ];
}

async function ourRate(world: World, url: string, events: number, batch: number): Promise<number> {
  await fillOutbox(url, { count: events, type: 'bench:noop', payload: {} });
  const { seconds } = await drain(world, { url, batch });
  await expectDrained(url);
  return events / seconds;
}

/** One statement that claims and completes, with nobody who would handle anything: what the database can do. */
async function limit(world: World, program: string, url: string, events: number, batch: number) {
  await fillOutbox(url, { count: events, type: 'bench:noop', payload: {} });
  const script = `UPDATE m10_recovery.outbox
   SET processed_at = clock_timestamp(), processed_by = 'pgbench', next_retry_at = NULL
 WHERE id = ANY (ARRAY(
   SELECT id FROM m10_recovery.outbox
    WHERE processed_at IS NULL AND (next_retry_at IS NULL OR next_retry_at <= clock_timestamp())
    ORDER BY created_at, id LIMIT ${batch} FOR UPDATE SKIP LOCKED));
`;
  const transactions = Math.ceil(events / batch);
  const rate = await pgbench(world, program, { url, script, transactions });
  await expectDrained(url);
  return rate * batch;
}

async function long(world: World, url: string, size: OutboxSize): Promise<string> {
  const rows: string[][] = [];
  for (const batch of size.batches) {
    await fillOutbox(url, { count: size.long, type: 'bench:noop', payload: {} });
    const { tenths } = await drain(world, { url, batch });
    await expectDrained(url);
    const rates = tenths.map((seconds) => size.long / 10 / seconds);
    const [first = Number.NaN, last = Number.NaN] = [rates[0], rates.at(-1)];
    rows.push([
      String(batch),
      first.toFixed(0),
      median(rates).toFixed(0),
      last.toFixed(0),
      (last / first).toFixed(2),
    ]);
  }
  const head = ['batch', 'first tenth, events/s', 'median tenth', 'last tenth', 'last of first'];
  return `${size.long.toLocaleString('en')} events in one drain:\n\n${table(head, rows)}`;
}
