import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderCard } from '../../../src/bot/render/card.js';
import { renderClosed } from '../../../src/bot/render/closed.js';
import { renderGate } from '../../../src/bot/render/gate.js';
import { renderLocks } from '../../../src/bot/render/locks-shown.js';
import type { Rendered } from '../../../src/bot/render/message.js';
import { renderOutbox } from '../../../src/bot/render/outbox-shown.js';
import { renderPrompt } from '../../../src/bot/render/prompt.js';
import { renderRefusal, renderRefused } from '../../../src/bot/render/refused.js';
import { renderReplays } from '../../../src/bot/render/replays-shown.js';
import { renderReply, renderStatus } from '../../../src/bot/render/replies.js';
import { renderStopped } from '../../../src/bot/render/stopped.js';
import { Operation } from '../../../src/runbook/definition.js';
import type { EventOf, Plan, RunEvent } from '../../../src/runbook/events.js';
import { fold } from '../../../src/runbook/evolve.js';
import type { LockSeen, OutboxSeen } from '../../../src/runbook/jobs/m10-port.js';
import type { OpenedRun } from '../../../src/runbook/state.js';
import { hostile, problems, tokens } from './hostile.js';
import * as s from './sample.js';

const block = { kind: 'operation', id: 'locks-release' } as const;
const head = { position: 42, hash: 'ef'.repeat(32) };

/** Every message about the M10 objects; each free text is `text` when that is given. */
function everything(text?: string, many = 1): Record<string, Rendered> {
  const say = (own: string) => text ?? own;
  const lock = (given: Partial<LockSeen> = {}): LockSeen => ({
    name: say('m10:reclaim_gc'),
    holder: say('worker-3:4711'),
    acquiredAt: s.t0 - 1_200_000,
    expiresAt: s.t0 + 180_000,
    ageMs: 1_200_000,
    leftMs: 180_000,
    stale: false,
    ours: false,
    job: 'reclaim-gc',
    silentMs: 120_000,
    ...given,
  });
  const failure = (given: Partial<OutboxSeen['lastErrors'][number]> = {}) => ({
    id: 7,
    eventType: say('http:notify'),
    aggregate: say('candidate 7'),
    retries: 3,
    error: say('503 from hooks.example.com'),
    nextTryAt: s.t0 + 240_000,
    dead: false,
    ...given,
  });
  const outbox: OutboxSeen = {
    pending: 1_234,
    due: 1_200,
    waiting: 30,
    delivering: 4,
    oldestMs: 1_200_000,
    lagMs: 600_000,
    deadLettered: 1,
    byType: Array.from({ length: many * 2 }, (_, n) => ({
      eventType: say(n % 2 === 0 ? 'http:notify' : 'audit:kept'),
      pending: 1_000 - n,
    })),
    byRetries: Array.from({ length: many * 2 }, (_, retries) => ({ retries, pending: 1_204 })),
    lastErrors: Array.from({ length: many }, () => [
      failure(),
      failure({ id: 3, dead: true, retries: 5, nextTryAt: null }),
      failure({ id: 4, nextTryAt: null }),
    ]).flat(),
  };
  const release = Operation.parse({
    id: 'locks-release',
    title: text === undefined ? 'Release the lock m10:reclaim_gc' : `${text}xxx`.slice(0, 140),
    on: 'production',
    beside: true,
    gate: { approvals: 1, expires: '30m' },
    steps: [
      {
        id: 'locks-release',
        title: text === undefined ? 'Release the lock m10:reclaim_gc' : `${text}xxx`.slice(0, 140),
        uses: 'locks.release',
      },
    ],
  });
  const plan: Plan = {
    steps: [
      {
        id: 'locks-release',
        title: say('Release the lock m10:reclaim_gc'),
        target: 'production',
        uses: 'locks.release',
        changes: true,
        words: say('Take the lock m10:reclaim_gc of production away from worker-3:4711.'),
        commands: [say("DELETE FROM m10_recovery.distributed_locks WHERE lock_name = 'm10:reclaim_gc';")],
      },
    ],
    targets: [{ target: 'production', database: say('m10_production'), revision: say('022') }],
    sql: [],
    warnings: [say('worker-3:4711 has held it for 20 min.'), say('Last heartbeat 2 min ago.')],
  };
  const opened: EventOf<'RunOpened'> = {
    ...s.opened({ ...s.sampleRunbook(text), operations: [release] }),
    run: 8,
    purpose: block,
  };
  const request: RunEvent = {
    type: 'ApprovalRequested',
    gate: 1,
    cover: { kind: 'block', block, from: null, reason: '' },
    by: s.alice,
    via: 'command',
  };
  const at = (...events: RunEvent[]): OpenedRun => {
    const state = fold([opened, ...events].map((event) => ({ event, at: s.t0 })));
    return state.kind === 'run' ? state : expect.unreachable();
  };
  const waiting = [request, { ...s.gateOpened(plan), gate: 1 }];
  const running: RunEvent[] = [
    ...waiting,
    s.approved(),
    s.spent,
    { type: 'BlockStarted', block, from: null },
    { type: 'StepStarted', block, step: 'locks-release', attempt: 1, target: 'production' },
  ];
  const ended = (result: 'passed' | 'failed'): EventOf<'StepFinished'> => ({
    type: 'StepFinished',
    block,
    step: 'locks-release',
    attempt: 1,
    result,
    summary: say(
      result === 'passed' ? 'm10:reclaim_gc was taken from worker-3:4711' : 'nothing was released',
    ),
    output: '',
    outputFile: null,
    data: {},
    durationMs: 40,
    recovered: false,
  });
  const state = { target: 'production', summary: say('at 022'), revision: say('022'), reachable: true };
  const assessed: EventOf<'FailureAssessed'> = {
    type: 'FailureAssessed',
    block,
    step: 'locks-release',
    attempt: 1,
    targets: [state],
    loss: [],
    notes: [],
  };
  const failed = [...running, ended('failed'), assessed];
  const stop: EventOf<'StopRequested'> = {
    type: 'StopRequested',
    by: s.bob,
    reason: say('not that one'),
    now: false,
    via: 'button',
  };
  const closed: EventOf<'RunClosed'> = {
    type: 'RunClosed',
    by: 'm10bot',
    outcome: 'operation-done',
    reason: '',
    targets: [state],
  };
  const gate = (...events: RunEvent[]) => {
    const run = at(...events);
    return renderGate(run, run.gates[0] ?? expect.unreachable(), {
      diff: [say('holder: a when approved, b now')],
    });
  };
  const migration = s.at(...s.preflight(s.sampleRunbook(text)));
  return {
    m10Locks: renderLocks({
      target: say('production'),
      locks: Array.from({ length: many }, () => [
        lock(),
        lock({ ours: true, holder: say('m10bot:host:12:ab'), silentMs: 3_000 }),
        lock({ stale: true, leftMs: -600_000, job: null, silentMs: null }),
      ]).flat(),
    }),
    m10LocksNone: renderLocks({ target: 'production', locks: [] }),
    m10Outbox: renderOutbox({ target: say('production'), outbox }),
    m10OutboxEmpty: renderOutbox({
      target: 'production',
      outbox: {
        pending: 0,
        due: 0,
        waiting: 0,
        delivering: 0,
        oldestMs: null,
        lagMs: 0,
        byType: [],
        byRetries: [],
        deadLettered: 0,
        lastErrors: [],
      },
    }),
    m10Replays: renderReplays({
      target: say('production'),
      replays: {
        rows: 12_345,
        bytes: 5_000_000,
        oldestAt: s.t0 - 40 * 86_400_000,
        days: [
          { day: '2026-01-08', count: 10 },
          { day: '2026-01-09', count: 1_210 },
          { day: '2026-01-10', count: 3 },
        ],
      },
      now: s.t0,
    }),
    m10ReplaysEmpty: renderReplays({
      target: 'production',
      replays: { rows: 0, bytes: 8_192, oldestAt: null, days: [] },
      now: s.t0,
    }),
    besideCard: renderCard(at(...waiting)),
    besideGate: gate(...waiting),
    besideGateVoid: gate(...waiting, { type: 'GateVoided', gate: 1, diff: [] }),
    besidePrompt: renderPrompt({ state: at(...failed), assessed, failed: ended('failed') }),
    besideStopped: renderStopped(at(...failed, stop), stop),
    besideClosed: renderClosed(
      at(...running, ended('passed'), { type: 'BlockFinished', block }, closed),
      closed,
      head,
    ),
    besideStatus: renderStatus(migration, { now: s.t0 + 60_000, beside: at(...waiting) }),
    besideStatusAlone: renderStatus(null, { now: s.t0 + 60_000, beside: at(...waiting) }),
  };
}

const samples = everything();
const said = (name: string) => JSON.stringify(samples[name]);

describe('every message about the M10 objects', () => {
  it.each(Object.keys(samples))('%s', async (name) => {
    const rendered = samples[name] ?? expect.unreachable();
    expect(problems(rendered)).toEqual([]);
    await expect(`${JSON.stringify(rendered, null, 1)}\n`).toMatchFileSnapshot(`snapshots/${name}.txt`);
  });

  it('with many of everything, and long hostile texts', () => {
    for (const text of [undefined, '`<!channel>&`'.repeat(8_000)]) {
      for (const [name, rendered] of Object.entries(everything(text, 40)))
        expect(problems(rendered), name).toEqual([]);
    }
  });

  it('with hostile text everywhere', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        for (const [name, rendered] of Object.entries(everything(text)))
          expect(problems(rendered), name).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});

describe('what they say', () => {
  it.each([
    ['m10Locks', '3 locks, 1 stale', 'worker-3:4711', '20 min ago', 'Last heartbeat: 2 min ago'],
    ['m10Locks', 'one of this bot', 'Stale: expired 10 min ago', 'Last heartbeat: not known'],
    ['m10Outbox', '1,234 pending: 1,200 due', 'Lag: 10 min 0 s', '1 dead letter', '1,204 failed 1 time'],
    ['m10Outbox', '503 from hooks.example.com', 'failed tries, next try', '/m10 outbox retry ID'],
    ['m10Replays', '12,345 entries, 4.8 MiB', '40 days ago', '610 a day', '2026-01-10 (so far): 3'],
    [
      'besideGate',
      'Approval needed: Release the lock m10:reclaim_gc',
      'held it for 20 min',
      'Last heartbeat',
    ],
    ['besideGate', 'The migration is not touched.'],
    ['besidePrompt', 'run_retry', 'run_stop', 'and this run alone'],
    ['besideClosed', 'm10:reclaim_gc was taken from worker-3:4711', `approved by <@${s.bob}>`],
    ['besideStatus', 'A sample migration', 'Beside it, run 8', 'Release the lock m10:reclaim_gc'],
    ['besideStatusAlone', 'Run 8: Release the lock m10:reclaim_gc', 'No run migrates'],
  ])('%s: %s', (name, ...words) => {
    for (const each of words) expect(said(name)).toContain(each);
  });

  it('says nothing of phases, revisions or a rollback about an operation beside the migration', () => {
    for (const name of [
      'besideCard',
      'besideGate',
      'besideGateVoid',
      'besidePrompt',
      'besideStopped',
      'besideClosed',
    ]) {
      expect(said(name), name).not.toMatch(
        /022|revision|phase|run_rollback|rollback|run_skip|\/m10 skip|preflight/i,
      );
    }
  });
});

describe('a name from the target that looks like more', () => {
  const names = [
    '<@U0B0B00001>',
    '<#C0INCIDENT>',
    '<!channel>',
    '<https://evil.example|here>',
    '`<@U0B0B00001>`',
  ];

  it.each(names)('%s is text, wherever it is told', (name) => {
    const why = `The lock ${name} has expired: whoever asks next gets it.`;
    const refused = {
      command: `/m10 locks release ${name}`,
      why,
      instead: `Did you mean \`${name}\`? Held: ${name}.`,
    };
    const shown = [
      renderRefusal(refused),
      renderRefused({ type: 'CommandRefused', by: 'U0A11CE001', code: 'nothing_left', ...refused }),
      renderReply({ kind: 'done', text: why }),
      renderLocks({
        target: 'production',
        locks: [
          {
            name,
            holder: name,
            acquiredAt: s.t0,
            expiresAt: s.t0,
            ageMs: 1,
            leftMs: 1,
            stale: false,
            ours: false,
            job: null,
            silentMs: null,
          },
        ],
      }),
    ];
    for (const rendered of shown) {
      expect(problems(rendered)).toEqual([]);
      const found = tokens(JSON.stringify(rendered)).filter((token) => !token.startsWith('<!date'));
      // The person who asked is the only one mentioned.
      expect(found.filter((token) => token !== '<@U0A11CE001>')).toEqual([]);
    }
  });

  it('and a person whom a refusal is about is mentioned', () => {
    const told = renderRefused({
      type: 'CommandRefused',
      by: 'U0A11CE001',
      command: '/m10 next',
      code: 'run_stopped',
      why: 'Run 7 was stopped by <@U0B0B00001>.',
      instead: '',
    });
    expect(told.text).toContain('<@U0B0B00001>');
  });
});
