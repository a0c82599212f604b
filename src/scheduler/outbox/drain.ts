import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../clients/postgres.js';
import { type Claim, claimLease, START } from './claim.js';
import { release } from './complete.js';
import { type LocalOptions, localRound, newest } from './local.js';
import { type SettleOptions, settle } from './settle.js';
import type { Window } from './window.js';

export interface DrainOptions {
  readonly database: Database;
  readonly window: Window;
  readonly concurrency: number;
  readonly claim: Omit<Claim, 'after'>;
  readonly local: LocalOptions;
  readonly settle: SettleOptions;
  readonly leaseMs: number;
  /** Whether no further batch may be begun. */
  readonly stopped: () => boolean;
}

/** How often events that came meanwhile are looked for while deliveries are under way, ms. */
const LOOK_MS = 1_000;
/** After an end, what waited for it is looked for no sooner than this, ms. */
const PAUSE_MS = 50;
/** Ends that come within this time are written down together, ms. */
const GATHER_MS = 3;
/** A fast receiver may have so many times the concurrency waiting for it, or a batch when that is more. */
const AHEAD = 20;
/** Leased events should last about this long: a longer queue only holds them, a shorter one asks too often, ms. */
const QUEUE_MS = 500;

/**
 * Goes through the outbox until a pass over it finds nothing to claim, in turns: a round of the events that are
 * handled in this process, a claim of others whenever the window runs low, and the writing down of what ended.
 * All on one session, and no transaction is open while a delivery is.
 * @returns why events could not be archived as dead letters
 */
export async function drain(options: DrainOptions): Promise<readonly string[]> {
  const { database, window, concurrency, stopped } = options;
  const unburied: string[] = [];
  const most = Math.max(options.claim.batch, concurrency * AHEAD);
  const noLocal = options.claim.localTypes.length === 0;
  const look = performance.now() + LOOK_MS;
  const local = { cursor: START, found: false, clean: noLocal, lookAt: 0 };
  const leased = { cursor: START, found: false, clean: false, lookAt: noLocal ? 0 : look, askedAt: 0 };
  let ahead = Math.min(concurrency * 2, most);
  const idle = () => window.running === 0 && window.waiting === 0;
  // A pass meets the events of the other kind too, however many there are. So one that is over begins again when
  // something may have changed for it, but no sooner than its time while there is other work.
  const wantsLocal = () =>
    local.cursor !== START || (!local.clean && (idle() || performance.now() >= local.lookAt));
  const wantsMore = () =>
    window.waiting < ahead / 2 &&
    (leased.cursor !== START ||
      performance.now() >= leased.lookAt ||
      (idle() && local.clean && !leased.clean));

  async function handleLocal(): Promise<void> {
    const round = await localRound(options.local, local.cursor);
    for (const { event, seconds } of round.delivered) options.settle.tally.delivered(event, seconds);
    if (round.failed.length > 0) unburied.push(...(await settle(options.settle, round.failed)).unburied);
    if (round.cursor !== null) {
      local.found = true;
      local.cursor = round.cursor;
    }
    if (!round.exhausted) return;
    if (local.found) leased.clean = false;
    local.clean = !local.found;
    local.lookAt = performance.now() + (local.found ? 0 : LOOK_MS);
    local.cursor = START;
    local.found = false;
  }

  async function claimMore(): Promise<void> {
    const now = performance.now();
    const lasted = now - leased.askedAt;
    if (lasted < QUEUE_MS / 2) ahead = Math.min(ahead * 2, most);
    else if (lasted > QUEUE_MS * 2) ahead = Math.max(Math.floor(ahead / 2), concurrency);
    leased.askedAt = now;
    // A new pass is the moment to look for new events of the other kind too.
    if (leased.cursor === START && !idle()) local.clean = noLocal;
    const claim = { ...options.claim, after: leased.cursor, batch: ahead, leaseMs: options.leaseMs };
    const events = await claimLease(database, claim);
    window.add(events);
    if (events.length > 0) {
      leased.found = true;
      const claimed = events.map(({ event }) => event);
      leased.cursor = newest(claimed, leased.cursor);
    }
    if (events.length === ahead) return;
    leased.clean = !leased.found;
    leased.lookAt = performance.now() + (leased.found ? 0 : LOOK_MS);
    leased.cursor = START;
    leased.found = false;
  }

  async function writeDown(): Promise<void> {
    const late = window.late();
    if (late.length > 0) await release(database, late, options.settle.lease);
    const ended = window.ended();
    if (late.length + ended.length === 0) return;
    if (ended.length > 0) unburied.push(...(await settle(options.settle, ended)).unburied);
    // What waited for these, of the same aggregates, may be claimed now.
    leased.clean = false;
    leased.lookAt = Math.min(leased.lookAt, performance.now() + PAUSE_MS);
    local.clean = noLocal;
  }

  while (!stopped()) {
    if (wantsLocal()) await handleLocal();
    if (!stopped() && wantsMore()) await claimMore();
    await writeDown();
    if (idle() && local.clean && leased.clean) return unburied;
    if (!idle() && !wantsLocal() && !wantsMore()) {
      await window.changed(LOOK_MS);
      await sleep(GATHER_MS);
    }
  }
  const withdrawn = window.withdraw();
  if (withdrawn.length > 0) await release(database, withdrawn, options.settle.lease);
  while (!idle()) {
    await window.changed(LOOK_MS);
    await writeDown();
  }
  await writeDown();
  return unburied;
}
