import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderAudit } from '../../../src/bot/render/audit.js';
import { renderBlockFinished } from '../../../src/bot/render/block-finished.js';
import { renderCard } from '../../../src/bot/render/card.js';
import { renderClosed } from '../../../src/bot/render/closed.js';
import { describeEvent } from '../../../src/bot/render/describe.js';
import { renderGate } from '../../../src/bot/render/gate.js';
import { renderJournalMismatch } from '../../../src/bot/render/journal-mismatch.js';
import type { Rendered } from '../../../src/bot/render/message.js';
import { message, section } from '../../../src/bot/render/message.js';
import { reactionRejectedLine, stepSkippedLine } from '../../../src/bot/render/notes.js';
import { renderPlanShown } from '../../../src/bot/render/plan-shown.js';
import { renderPrompt } from '../../../src/bot/render/prompt.js';
import { renderRefused } from '../../../src/bot/render/refused.js';
import { renderHelp, renderReply, renderStatus } from '../../../src/bot/render/replies.js';
import { renderStep } from '../../../src/bot/render/step.js';
import { renderStopped } from '../../../src/bot/render/stopped.js';
import { piecesThatFit, renderThread } from '../../../src/bot/render/thread.js';
import { renderUnprepared } from '../../../src/bot/render/unprepared.js';
import { renderUntrusted } from '../../../src/bot/render/untrusted.js';
import type { RunEvent } from '../../../src/runbook/events.js';
import { type Gate, gateById, type OpenedRun } from '../../../src/runbook/state.js';
import { hostile, problems } from './hostile.js';
import * as s from './sample.js';

function gateOf(state: OpenedRun): Gate {
  const gate = gateById(state, 1);
  if (gate === undefined) throw new Error('no request 1');
  return gate;
}

const head = { position: 42, hash: 'ef'.repeat(32) };

/** Every message of a run in which each free text is `text`. */
function everything(text: string | undefined, steps: number): Record<string, Rendered> {
  const runbook = s.sampleRunbook(text, steps);
  const plan = s.samplePlan(text, steps);
  const say = (own: string) => text ?? own;
  const open = [...s.preflight(runbook), s.requested(text), s.gateOpened(plan)];
  const failed = s.finished('staging', 'apply', {
    result: 'failed',
    summary: say('exit code 1'),
    output: say('line 1\nERROR: no'),
  });
  const running = [...open, s.approved(), s.spent, s.blockStarted('staging'), s.started('staging', 'apply')];
  const broken = s.at(...running, failed, s.assessed(text));
  const stop: RunEvent = { type: 'StopRequested', by: s.bob, reason: say('wait'), now: true, via: 'command' };
  const voided: RunEvent = {
    type: 'GateVoided',
    gate: 1,
    diff: [say('revision: 021 when approved, 022 now')],
  };
  const stopped = s.at(...running, stop);
  const forged = s.at(...open, { ...s.spent, approvers: [] }, s.blockStarted('staging'));
  const gate = (extra: RunEvent[], end = {}) =>
    renderGate(s.at(...open, ...extra), gateOf(s.at(...open, ...extra)), end);
  const skipped: RunEvent = {
    type: 'StepSkipped',
    block: { kind: 'phase', id: 'staging' },
    step: 'apply',
    attempt: 1,
    gate: 1,
    reason: say('known'),
  };
  const all = s.at(...running, failed, s.assessed(text), s.closed(text));
  return {
    card: renderCard(s.at(...open)),
    cardRunning: renderCard(s.at(...running)),
    cardFailed: renderCard(broken),
    cardClosed: renderCard(all),
    gate: gate([]),
    mismatch: renderJournalMismatch({
      type: 'JournalMismatch',
      place: 'file',
      position: 40,
      noted: 'ab'.repeat(32),
      found: null,
      end: 12,
    }),
    cardUntrusted: renderCard(forged),
    gateUntrusted: renderGate(forged, gateOf(forged)),
    untrusted: renderUntrusted(forged, forged.untrusted ?? expect.unreachable()),
    closedUntrusted: renderClosed(
      s.at(...open, { ...s.spent, approvers: [] }, s.closed('x')),
      s.closed('x'),
      head,
    ),
    gateApproved: gate([s.approved(), s.spent]),
    gateWaits: gate([
      s.approved(),
      { type: 'LookupFailed', gate: 1, users: [s.bob], why: say('the account could not be looked up') },
    ]),
    gateRefused: gate([{ type: 'GateRefused', gate: 1, by: s.bob, via: 'reaction' }]),
    gateExpired: gate([{ type: 'GateExpired', gate: 1 }]),
    gateVoid: gate([voided], { diff: [say('revision: 021 when approved, 022 now')] }),
    gateCancelled: gate([{ type: 'GateCancelled', gate: 1, by: s.alice, why: say('the run was stopped') }], {
      why: say('the run was stopped'),
    }),
    prompt: renderPrompt({ state: broken, assessed: s.assessed(text), failed }),
    promptAnswered: renderPrompt({ state: broken, assessed: s.assessed(text), failed, answer: 'retried.' }),
    stopped: stop.type === 'StopRequested' ? renderStopped(stopped, stop) : message('', []),
    unprepared: renderUnprepared(s.at(...open), {
      type: 'GatePreparationFailed',
      gate: 1,
      reason: say('no answer'),
    }),
    refused: renderRefused({
      type: 'CommandRefused',
      by: s.bob,
      command: say('/m10 nxt'),
      code: 'unknown_command',
      why: say('There is no such command.'),
      instead: say('Did you mean `/m10 next`?'),
    }),
    planShown: renderPlanShown({ type: 'PlanShown', by: s.alice, runbook: say('sample'), plan }),
    finished: renderBlockFinished(s.at(...s.preflight(runbook)), s.blockFinished('preflight'), head),
    closed: renderClosed(all, s.closed(text), head),
    thread: renderThread([
      renderStep(broken, failed),
      renderStep(broken, s.finished('preflight', 'look-1', { output: say('fine'), summary: say('at 021') })),
      {
        line: reactionRejectedLine({
          type: 'ReactionRejected',
          gate: 1,
          by: s.alice,
          emoji: say('+1'),
          code: 'own_request',
          why: say('you asked for it'),
        }),
        blocks: [],
      },
      ...(skipped.type === 'StepSkipped' ? [{ line: stepSkippedLine(broken, skipped), blocks: [] }] : []),
    ]),
    status: renderStatus(broken, { now: s.t0 + 60_000, head }),
    noStatus: renderStatus(null, { now: s.t0, last: all }),
    help: renderHelp(
      Array.from({ length: steps }, () => ({
        usage: say('/m10 next'),
        what: say('asks for the next phase'),
        who: 'operators',
      })),
    ),
    audit: renderAudit(
      all,
      Array.from({ length: steps * 3 }, () => ({ at: s.t0, by: s.alice, words: say('approved request 1') })),
      { head, chain: say('The chain holds.') },
    ),
    done: renderReply({ kind: 'done', text: `Done: ${say('yes')}` }),
  };
}

describe('every message', () => {
  const samples = everything(undefined, 2);
  it.each(Object.keys(samples))('%s', async (name) => {
    const rendered = samples[name] ?? expect.unreachable();
    expect(problems(rendered)).toEqual([]);
    await expect(`${JSON.stringify(rendered, null, 1)}\n`).toMatchFileSnapshot(`snapshots/${name}.txt`);
  });

  it.each([undefined, '`<!channel>&`'.repeat(8_000)])('with 100 steps', (text) => {
    for (const [name, rendered] of Object.entries(everything(text, 100))) {
      expect(problems(rendered), name).toEqual([]);
    }
  });

  it('with hostile text everywhere', () => {
    fc.assert(
      fc.property(hostile, fc.constantFrom(1, 4), (text, steps) => {
        for (const [name, rendered] of Object.entries(everything(text, steps))) {
          expect(problems(rendered), name).toEqual([]);
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('a gate', () => {
  const text = JSON.stringify(everything(undefined, 2).gate);

  it.each([
    ['the phase', 'phase staging (Change staging)'],
    ['each step in words', 'Upgrade staging from 021 to 022'],
    ['the exact commands', 'alembic upgrade 022'],
    ['the move', 'goes from `021` to `022`'],
    ['what is missing', '1 approval of 1 missing'],
    ['until when', `<!date^${(s.t0 + 30 * 60_000) / 1_000}^`],
    ['the fingerprint', '0123456789ab'],
    ['how to answer', '✅ approves, ❌ refuses, 🛑 stops the run'],
  ])('shows %s', (_, words) => expect(text).toContain(words));

  it('asks everyone but the requester', () => {
    expect(text).toContain(`May approve: <@${s.bob}>, <@${s.carol}> (not <@${s.alice}>, who asked)`);
  });

  it('ranks what may lose data first', () => {
    expect(text.indexOf('may lose data')).toBeLessThan(text.indexOf('Use bigint'));
    expect(text).toContain('may lose data');
  });

  it('keeps how to answer, however long the plan is', () => {
    const long = JSON.stringify(everything('x'.repeat(2_000), 100).gate);
    expect(long.includes('✅ approves')).toBe(true);
    expect(long.includes('the whole is in the file')).toBe(true);
  });

  it('asks nobody any more once it has ended', () => {
    for (const name of ['gateApproved', 'gateRefused', 'gateExpired', 'gateVoid', 'gateCancelled']) {
      expect(JSON.stringify(everything(undefined, 2)[name])).not.toContain('React to this message');
    }
  });
});

describe('step output', () => {
  it('stands in preformatted text exactly as it is', () => {
    const output = '```<!channel> & `x`\n\tindented';
    const piece = renderStep(s.at(...s.preflight()), s.finished('preflight', 'look-1', { output }));
    expect(JSON.stringify(piece.blocks)).toContain(JSON.stringify(output));
    expect(piece.line).not.toContain('channel');
  });

  it('shows the end of a failure and the start of a success', () => {
    const output = Array.from({ length: 100 }, (_, n) => `line ${n + 1}`).join('\n');
    const state = s.at(...s.preflight());
    const good = JSON.stringify(renderStep(state, s.finished('preflight', 'look-1', { output })));
    const bad = JSON.stringify(
      renderStep(state, s.finished('preflight', 'look-1', { output, result: 'failed' })),
    );
    expect(good).toContain('line 1\\n');
    expect(bad).toContain('line 100');
    expect(good).not.toContain('line 100');
  });
});

it('a thread message takes as many pieces as stay readable, and at least one', () => {
  const big = {
    line: 'x',
    blocks: [section('y'.repeat(3_000)), section('y'.repeat(3_000)), section('y'.repeat(3_000))],
  };
  expect(piecesThatFit([big, big])).toBe(1);
  expect(piecesThatFit(Array.from({ length: 100 }, () => ({ line: 'x', blocks: [] })))).toBe(15);
});

it('a request that nobody approved is never shown as approved', () => {
  const forged = s.at(...s.preflight(), s.requested(), s.gateOpened(), { ...s.spent, approvers: [] });
  expect(renderGate(forged, gateOf(forged)).text).toMatch(/^⛔ Not approved.*0 of 1 approvals/);
  expect(renderCard(forged).text).toMatch(/^⛔ Run 7 .*: Untrusted\. Nothing of run 7 is started any more/);
});

it('every event has its words for the audit trail', () => {
  const state = s.at(...s.preflight(), s.requested(), s.gateOpened());
  const events: RunEvent[] = [
    ...s.preflight(),
    s.requested(),
    s.gateOpened(),
    s.approved(),
    s.spent,
    s.assessed(),
    s.closed(),
  ];
  for (const event of events) expect(describeEvent(event, state)).toMatch(/\w+ \w+/);
  expect(describeEvent(s.approved(), state)).toBe(
    'approved request 1 (phase staging (Change staging)) with :white_check_mark: by reaction',
  );
});
