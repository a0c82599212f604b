import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { renderPrompt } from '../../src/bot/render/prompt.js';
import { promptActions } from '../../src/bot/render/prompt-value.js';
import type { BlockRef } from '../../src/runbook/definition.js';
import { CHANNELS, createScene, poll, type Scene, USERS } from './support.js';

let scene: Scene;
let run: number;
let ts: string;
const block: BlockRef = { kind: 'phase', id: 'preflight' };

beforeAll(async () => {
  scene = await createScene('buttons');
  await scene.startBot();
});
afterAll(() => scene.close());

/** A run whose first step has failed, with the prompt in the channel. */
beforeEach(async () => {
  const [held] = await scene.runs.holders(['staging']);
  if (held !== undefined) {
    expect((await scene.ask(USERS.alice, '/m10 close next test')).text).toContain('is closed');
  }
  await scene.ask(USERS.alice, '/m10 preflight');
  run = (await scene.runs.holders(['staging']))[0]?.run ?? expect.unreachable();
  await scene.runs.execute(run, { type: 'StartBlock', block });
  await failStep('look', 1);
  await failStep('look-2', 1);
  const assessed = {
    type: 'FailureAssessed' as const,
    block,
    step: 'look',
    attempt: 1,
    targets: [],
    loss: [],
    notes: [],
  };
  await scene.runs.execute(run, { ...assessed, type: 'Assess' });
  const prompt = renderPrompt({ state: await scene.state(run), assessed, failed: undefined });
  const { background } = scene.accessFor().clients;
  const posted = await background.chat.postMessage({
    channel: CHANNELS.incident,
    text: prompt.text,
    blocks: [...prompt.blocks],
  });
  ts = posted.ts ?? expect.unreachable();
});

async function failStep(step: string, attempt: number) {
  await scene.runs.execute(run, { type: 'StartStep', block, step, attempt });
  await scene.runs.execute(run, {
    type: 'FinishStep',
    block,
    step,
    attempt,
    result: 'failed',
    summary: 'it did not work',
    output: '',
    outputFile: null,
    data: {},
    durationMs: 1,
    recovered: false,
  });
}

const press = (user: string, action: keyof typeof promptActions) =>
  scene.people.press({ user, channel: CHANNELS.incident, ts, action_id: promptActions[action] });

/** Presses and waits for the answer that only the presser sees. */
async function answerTo(user: string, action: keyof typeof promptActions) {
  const { ok, trigger_id } = await press(user, action);
  expect(ok).toBe(true);
  return (await scene.people.waitForEphemeral(user, (e) => e.trigger_id === trigger_id)).text;
}

const lastOf = async (type: string) => (await scene.events(`run:${run}`)).findLast((e) => e.type === type);

describe('a button of the rollback prompt', () => {
  it('retries, as the command does, with who pressed', async () => {
    expect(await answerTo(USERS.alice, 'retry')).toContain('goes ahead');
    expect(await lastOf('StepRetried')).toMatchObject({ by: USERS.alice, via: 'button' });
  });

  it('is answered with what is true now when its failure is no longer open', async () => {
    await scene.ask(USERS.alice, '/m10 retry');
    await failStep('look', 2);
    expect(await answerTo(USERS.alice, 'retry')).toContain('tried again since: attempt 2 has failed');
    expect(await lastOf('CommandRefused')).toMatchObject({ code: 'stale', by: USERS.alice });
    await scene.ask(USERS.alice, '/m10 close done');
    const answer = await answerTo(USERS.alice, 'retry');
    expect(answer).toContain(`Run ${run} is closed`);
  });

  it('stops for anyone, and refuses everything else to who is no operator, in the open', async () => {
    for (const action of ['retry', 'skip'] as const) {
      expect(await answerTo(USERS.dave, action)).toContain('Only listed operators');
      expect(await lastOf('CommandRefused')).toMatchObject({ by: USERS.dave, code: 'not_an_operator' });
    }
    expect((await scene.people.views({ user: USERS.dave })).views).toEqual([]);
    expect(await answerTo(USERS.dave, 'stop')).toContain('is stopped');
    expect(await lastOf('StopRequested')).toMatchObject({ by: USERS.dave, via: 'button' });
  });

  it('asks for the reason of a skip in a modal, and then a second person', async () => {
    await press(USERS.alice, 'skip');
    const { id } = await scene.people.waitForView(USERS.alice, () => true);
    const blank = await scene.people.submit({
      user: USERS.alice,
      view_id: id,
      values: { reason_text: '   ' },
    });
    expect(blank).toMatchObject({ ok: false, errors: { reason: expect.stringContaining('reason') } });
    const sent = await scene.people.submit({
      user: USERS.alice,
      view_id: id,
      values: { reason_text: 'known to be flaky,\nsee <yesterday> & before' },
    });
    expect(sent).toMatchObject({ ok: true, closed: true });
    await poll(async () => lastOf('ApprovalRequested'));
    expect(await lastOf('ApprovalRequested')).toMatchObject({
      by: USERS.alice,
      via: 'button',
      cover: { kind: 'skip', step: 'look', reason: 'known to be flaky, see <yesterday> & before' },
    });
  });

  it('says in the modal that the question is old', async () => {
    await scene.ask(USERS.alice, '/m10 retry');
    await press(USERS.alice, 'skip');
    const shown = await scene.people.waitForView(USERS.alice, (v) =>
      JSON.stringify(v.view).includes('Nothing is asked for'),
    );
    expect(shown.view.submit ?? null).toBeNull();
  });
});
