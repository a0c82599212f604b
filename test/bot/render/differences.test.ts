import { describe, expect, it } from 'vitest';
import { renderCard } from '../../../src/bot/render/card.js';
import { renderClosed } from '../../../src/bot/render/closed.js';
import { renderGate } from '../../../src/bot/render/gate.js';
import { planFiles } from '../../../src/bot/render/plan-files.js';
import { renderPlanShown } from '../../../src/bot/render/plan-shown.js';
import { renderStatus } from '../../../src/bot/render/replies.js';
import { renderStep } from '../../../src/bot/render/step.js';
import type { Plan, RunEvent } from '../../../src/runbook/events.js';
import { gateById } from '../../../src/runbook/state.js';
import { problems } from './hostile.js';
import * as s from './sample.js';

const head = { position: 42, hash: 'ef'.repeat(32) };
const note = '2 statements ran that are not in the approved SQL';
const applied = s.finished('staging', 'apply', { notes: [note] });
const started: RunEvent[] = [
  ...s.preflight(),
  s.requested(),
  s.gateOpened(),
  s.approved(),
  s.spent,
  s.blockStarted('staging'),
  s.started('staging', 'apply'),
];

describe('a step that did something else than was approved', () => {
  const whole = s.at(
    ...started,
    applied,
    s.started('staging', 'verify'),
    s.finished('staging', 'verify'),
    s.blockFinished('staging'),
    s.closed(),
  );

  it('has it right below its result', () => {
    const { line } = renderStep(s.at(...started, applied), applied);
    expect(line).toContain(`⚠️ ${note}.`);
  });

  it('is never closed as plainly verified', () => {
    const closed = renderClosed(whole, s.closed(), head);
    expect(problems(closed)).toEqual([]);
    expect(closed.text).toContain('⚠️ Run 7 is closed: Verified, with differences.');
    expect(JSON.stringify(closed)).toContain(note);
    const card = renderCard(whole);
    expect(card.text).toContain('Verified, with differences');
    expect(JSON.stringify(card)).toContain(note);
    const last = renderStatus(null, { now: s.t0, last: whole });
    expect(last.text).toContain('verified, with differences');
  });

  it('stays so after it was run again without one', () => {
    const again = s.at(
      ...started,
      s.finished('staging', 'apply', { notes: [note], result: 'failed' }),
      { ...s.requested('retry'), gate: 2 },
      { ...s.gateOpened(), gate: 2 },
      { ...s.approved(), gate: 2 },
      { ...s.spent, gate: 2 },
      s.blockStarted('staging'),
      s.started('staging', 'apply', 2),
      s.finished('staging', 'apply', { attempt: 2 }),
      s.closed(),
    );
    expect(renderClosed(again, s.closed(), head).text).toContain('Verified, with differences');
  });
});

describe('a request', () => {
  const [sql] = s.samplePlan().sql;
  const shown = (change: Partial<Plan>) => {
    const open = s.at(...s.preflight(), s.requested(), s.gateOpened({ ...s.samplePlan(), ...change }));
    const gate = gateById(open, 1);
    if (gate === undefined) throw new Error('no request 1');
    const rendered = renderGate(open, gate);
    expect(problems(rendered)).toEqual([]);
    return rendered;
  };

  it('begins with what cannot be shown', () => {
    const rendered = shown({ headline: ['apply: the lock timeout cannot be verified'] });
    expect(rendered.text).toContain('1 thing not shown or not verified');
    expect(JSON.stringify(rendered.blocks[1])).toContain('the lock timeout cannot be verified');
  });

  it('does not say that the linter found nothing where there was no SQL to check', () => {
    if (sql === undefined) throw new Error('no SQL');
    const blocks = JSON.stringify(shown({ sql: [{ ...sql, sql: '', findings: [] }] }).blocks);
    expect(blocks).not.toContain('found nothing');
  });

  it('shows what another target executed and the printed SQL does not have, with its findings', () => {
    if (sql === undefined) throw new Error('no SQL');
    const statements = [
      { text: 'DELETE FROM orders WHERE id < 7', effect: 'changes' as const, outside: true },
    ];
    const finding = {
      rank: 'data-loss' as const,
      rule: 'deletes-rows',
      message: 'Deletes rows',
      line: null,
      statement: 'DELETE',
    };
    const plan = {
      ...s.samplePlan(),
      sql: [{ ...sql, findings: [], unprinted: [{ target: 'staging', statements, findings: [finding] }] }],
    };
    const blocks = JSON.stringify(shown(plan).blocks);
    expect(blocks).toContain('*staging executed 1 statement beyond the printed SQL*');
    expect(blocks).toContain('DELETE FROM orders WHERE id < 7  -- outside the transaction');
    expect(blocks).toContain('Deletes rows (deletes-rows, executed on staging)');
    expect(planFiles(plan, 'p').map((f) => f.filename)).toContain('p-executed-staging-apply-1.sql');
  });

  it('counts what a message has no room for, which the file has', () => {
    if (sql === undefined) throw new Error('no SQL');
    const statements = Array.from({ length: 1_734 }, (_, id) => ({
      text: `DELETE FROM orders WHERE id = ${id}`,
      effect: 'unknown' as const,
      outside: false,
      ...(id === 0 ? { note: 'reads stale, a view: may change rows' } : {}),
    }));
    const plan = {
      ...s.samplePlan(),
      sql: [{ ...sql, findings: [], unprinted: [{ target: 'staging', statements, findings: [] }] }],
    };
    const blocks = JSON.stringify(shown(plan).blocks);
    expect(blocks).toContain('staging executed 1734 statements beyond the printed SQL');
    expect(blocks).toContain('id = 0  -- reads stale, a view: may change rows');
    const [, last, more] = /id = (\d+)\\n… and ([\d,]+) more: in the file/.exec(blocks) ?? [];
    expect(Number(last) + 1 + Number(more?.replace(',', ''))).toBe(1_734);
    const file = planFiles(plan, 'p').find((f) => f.filename.startsWith('p-executed'));
    expect(file?.content.split('\n')).toHaveLength(1_734);
  });

  it('has the same in a plan that is only looked at', () => {
    const plan = { ...s.samplePlan(), headline: ['apply: rows decide what runs'] };
    const rendered = renderPlanShown({ type: 'PlanShown', by: s.alice, runbook: 'sample', plan });
    expect(JSON.stringify(rendered.blocks[1])).toContain('rows decide what runs');
  });
});
