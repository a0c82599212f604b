import { setTimeout as sleep } from 'node:timers/promises';
import type { Verdict } from '../runbook/command.js';
import type { Via } from '../runbook/events.js';
import { gateMessageKey, type People, requestOf } from '../runbook/people.js';
import { type Gate, gateById, openGate } from '../runbook/state.js';
import type { Posted } from '../store/posted.js';
import { opened, type Runs } from '../store/runs.js';
import type { Inbound } from './inbound.js';
import { type Log, messageOf } from './log.js';
import type { Given, ReadReactions } from './reaction-reader.js';
import { signOf } from './signs.js';

/** How long a reaction may be ahead of the note of the message it is on, ms. */
const PATIENCE = 3_000;
/** How soon Slack is asked again after it gave no answer, ms. */
const ASK_AGAIN = 3_000;

export interface Reactions {
  /** Handles a reaction that Slack delivered. */
  handle(reaction: Extract<Inbound, { kind: 'reaction' }>, delivery: string): Promise<void>;
  /** Compares every open request with what Slack shows now, for Slack may have lost or swapped deliveries. */
  reconcileGates(): Promise<void>;
}

/** Turns emoji on requests into decisions. */
export function createReactions(deps: {
  readonly runs: Pick<Runs, 'load' | 'holders' | 'execute'>;
  readonly posted: Pick<Posted, 'at' | 'get'>;
  readonly people: Pick<People, 'verdict'>;
  readonly read: ReadReactions;
  readonly operators: readonly string[];
  readonly targets: readonly string[];
  readonly botUserId: () => string | null;
  readonly log: Log;
}): Reactions {
  const { runs, posted, people, read, log } = deps;

  async function openRuns(): Promise<number[]> {
    const holders = await runs.holders(deps.targets);
    return [...new Set(holders.map((h) => h.run))];
  }

  /** An open request whose message is not noted yet: it may be the very one that was reacted to. */
  async function awaitsItsMessage(): Promise<boolean> {
    for (const run of await openRuns()) {
      const state = opened((await runs.load(run)).state);
      const gate = state === undefined ? undefined : openGate(state);
      if (gate?.status === 'open' && (await posted.get(gateMessageKey(run, gate.id))) === undefined)
        return true;
    }
    return false;
  }

  /** The request that a message asks for. The message is noted just after Slack has it; people are quick. */
  async function gateOf(channel: string, ts: string): Promise<{ run: number; gate: number } | null> {
    const until = Date.now() + PATIENCE;
    for (let delay = 20; ; delay = Math.min(delay * 2, 300)) {
      // Asked before the message is looked for: it may be noted between the two.
      const mayCome = Date.now() < until && (await awaitsItsMessage());
      const message = await posted.at(channel, ts);
      const match = /^run:(\d+):gate:(\d+)$/.exec(message?.key ?? '');
      if (match !== null) return { run: Number(match[1]), gate: Number(match[2]) };
      if (message !== undefined || !mayCome) return null;
      await sleep(delay);
    }
  }

  async function react(run: number, gate: Gate, given: Given, via: Via, delivery?: string): Promise<void> {
    // Stopping is never gated, so it does not wait for a look-up either.
    const verdict: Verdict =
      given.sign === 'stop'
        ? { kind: 'not_asked', why: 'not looked up', retryAfterMs: 0 }
        : await people.verdict(given.user, gate.from);
    if (verdict.kind === 'not_asked' && given.sign !== 'stop') askAgain(verdict.retryAfterMs);
    await runs.execute(
      run,
      {
        type: 'React',
        gate: gate.id,
        by: given.user,
        sign: given.sign,
        emoji: given.emoji,
        verdict,
        operator: deps.operators.includes(given.user),
        via,
      },
      delivery === undefined ? {} : { delivery },
    );
  }

  async function gateAt(run: number, id: number): Promise<Gate | undefined> {
    const state = opened((await runs.load(run)).state);
    return state === undefined ? undefined : gateById(state, id);
  }

  async function reconcile(run: number): Promise<void> {
    const state = opened((await runs.load(run)).state);
    const gate = state === undefined ? undefined : openGate(state);
    if (gate === undefined || gate.status !== 'open') return;
    const now = await read(requestOf({ run }, gate));
    if (now.kind === 'not_asked' || now.kind === 'unposted') return;
    if (now.kind === 'gone') {
      await runs.execute(run, { type: 'RepostGate', gate: gate.id, lost: now.ts });
      return;
    }
    const { given } = now;
    const has = (user: string, ...signs: Given['sign'][]) =>
      given.some((g) => g.user === user && signs.includes(g.sign));
    const takenBack = [
      ...gate.approvals.map((a) => a.by).filter((by) => !has(by, 'approve')),
      ...(gate.waits?.users ?? []).filter((by) => !has(by, 'approve', 'refuse')),
    ];
    for (const by of new Set(takenBack)) {
      await runs.execute(run, { type: 'Unreact', gate: gate.id, by, sign: 'approve', via: 'reconciled' });
    }
    // What ends the request first, then what it asks for.
    for (const sign of ['stop', 'refuse', 'approve'] as const) {
      for (const each of given.filter((g) => g.sign === sign)) {
        if (sign === 'approve' && gate.approvals.some((a) => a.by === each.user)) continue;
        await react(run, gate, each, 'reconciled');
        if ((await gateAt(run, gate.id))?.status !== 'open') return;
      }
    }
  }

  let reconciling: Promise<void> | null = null;
  let again: NodeJS.Timeout | null = null;

  /** What has no answer from Slack is looked up again soon, without anybody's doing. @param ms not before */
  function askAgain(ms: number): void {
    if (again !== null) return;
    again = setTimeout(
      () => {
        again = null;
        void reconcileGates();
      },
      Math.max(ms, ASK_AGAIN),
    ).unref();
  }

  function reconcileGates(): Promise<void> {
    reconciling ??= (async () => {
      try {
        for (const run of await openRuns()) await reconcile(run);
      } catch (error) {
        log.warn({ error: messageOf(error) }, 'open requests could not be compared with Slack');
      } finally {
        reconciling = null;
      }
    })();
    return reconciling;
  }

  return {
    async handle({ user, channel, ts, emoji, added }, delivery) {
      const sign = signOf(emoji);
      if (sign === null || user === deps.botUserId()) return;
      const place = await gateOf(channel, ts);
      if (place === null) return;
      const gate = await gateAt(place.run, place.gate);
      if (gate === undefined) return;
      if (added) {
        await react(place.run, gate, { user, emoji, sign }, 'reaction', delivery);
        return;
      }
      // Another emoji of the same person may say the same.
      const left = await read(requestOf(place, gate));
      // Nothing is spent before the reactions were read, and comparing them again takes the approval back if it is.
      if (left.kind === 'not_asked') return askAgain(left.retryAfterMs);
      const same = left.kind === 'read' && left.given.some((g) => g.user === user && g.sign === sign);
      if (same) return;
      await runs.execute(
        place.run,
        { type: 'Unreact', gate: gate.id, by: user, sign, via: 'reaction' },
        { delivery },
      );
    },

    reconcileGates,
  };
}
