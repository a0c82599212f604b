import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { CommandOf, Signs } from '../../src/runbook/command.js';
import { decide } from '../../src/runbook/decide.js';
import { fold } from '../../src/runbook/evolve.js';
import type { OpenedRun, RunState } from '../../src/runbook/state.js';
import { createAdvance } from '../../src/runner/advance.js';
import { createRunner } from '../../src/runner/runner.js';
import type { StepAt, Steps } from '../../src/runner/steps.js';
import { LeaseLost } from '../../src/store/errors.js';
import type { Runs } from '../../src/store/runs.js';
import {
  bob,
  expiresMs,
  finishStep,
  given,
  opened,
  openGate,
  preflight,
  requestNext,
  stagingStarted,
  stop,
  t0,
} from '../runbook/spec.js';

const log = { info() {}, warn() {}, error() {} };
const fence = { lease: 'run:7', owner: 'me', epoch: 1 };
const endOf = ({ step, attempt }: StepAt) =>
  finishStep('staging', step, 'passed', attempt) as CommandOf<'FinishStep'>;

/** One run in memory, decided as ever; `before` may fail in the place of a database. */
function memory(before: (type: string) => void = () => {}) {
  let state: RunState = given(stagingStarted).state;
  let version = 1;
  const execute: Runs['execute'] = async (_run, command) => {
    before(command.type);
    const decision = decide(state, command, t0);
    if (decision.kind === 'refused') return decision;
    state = fold(
      decision.events.map((event) => ({ event, at: t0 })),
      state,
    );
    if (decision.events.length > 0) version += 1;
    return { kind: 'accepted', events: [], state, version };
  };
  const load: Runs['load'] = async () => ({ state, version });
  return { execute, load, state: (): OpenedRun => opened(state) };
}

type Ask = Parameters<typeof createAdvance>[0]['gates']['confirm'];
const nothingToAsk: Ask = async () => null;

function advanceOf(
  runs: Pick<Runs, 'execute' | 'load'>,
  steps: Steps,
  { confirm = nothingToAsk, now = t0 }: { confirm?: Ask; now?: number | Promise<number> } = {},
) {
  const unused = async () => {
    throw new Error('not part of this test');
  };
  return createAdvance({
    runs: { ...runs, holders: unused, record: unused, recordAtDesk: unused, handled: unused },
    gates: { prepare: unused, spend: unused, confirm },
    where: { directory: 'directory-1', host: 'bot-1' },
    steps,
    assessor: { assess: unused, targets: unused },
    now: () => now,
    log,
  });
}

const calm = { lost: new AbortController().signal, watch: () => () => {} };

test('the end of a step that the database did not take is written later, not found out again', async () => {
  let down = true;
  const runs = memory((type) => {
    if (type === 'FinishStep' && down) throw new Error('the database is away');
  });
  const advance = advanceOf(runs, {
    run: async (_state, at) => endOf(at),
    recover: async () => {
      throw new Error('nothing is to be found out about a step whose end was seen');
    },
  });
  await expect(advance.run(7, fence, calm, () => false)).rejects.toThrow('the database is away');
  down = false;
  await advance.run(7, fence, calm, () => false);
  expect(runs.state().blocks['phase:staging']?.status).toBe('done');
});

test('who loses the lease writes nothing of the step, waits for nothing, and ends nothing', async () => {
  const runs = memory();
  const lost = new AbortController();
  const written: string[] = [];
  const watched: Runs['execute'] = async (run, command, options) => {
    written.push(command.type);
    return runs.execute(run, command, options);
  };
  let end = (_: CommandOf<'FinishStep'>) => {};
  const advance = advanceOf(
    { ...runs, execute: watched },
    {
      run: (_state, at) => {
        lost.abort(new LeaseLost('run:7', 'me', 1));
        return new Promise((resolve) => {
          end = () => resolve(endOf(at));
        });
      },
      recover: async () => null,
    },
  );
  await expect(advance.run(7, fence, { ...calm, lost: lost.signal }, () => false)).rejects.toThrow(LeaseLost);
  end(endOf({ block: { kind: 'phase', id: 'staging' }, step: 'apply', attempt: 1 }));
  await sleep(20);
  expect(written).toEqual(['StartStep']);
  // The one who comes next, this process or another, asks what became of it.
  const found = await advance.run(7, fence, calm, () => false);
  expect(found).toMatchObject({ kind: 'again' });
});

test('a stop now that comes before the step is watched ends it at once', async () => {
  const runs = memory();
  const stopped: Runs['execute'] = async (run, command, options) => {
    const done = await runs.execute(run, command, options);
    if (command.type === 'StartStep') await runs.execute(run, stop('UGINA', true));
    return done;
  };
  const advance = advanceOf(
    { ...runs, execute: stopped },
    {
      run: async (_state, at, signal) => {
        const deadline = Date.now() + 10_000;
        while (!signal.aborted && Date.now() < deadline) await sleep(5);
        return { ...endOf(at), summary: String(signal.aborted) };
      },
      recover: async () => null,
    },
  );
  // Nobody tells the watcher anything: the stop is in the journal already.
  expect(await advance.run(7, fence, calm, () => false)).toMatchObject({ kind: 'waits' });
  expect(runs.state().steps['phase:staging/apply']?.summary).toBe('true');
});

test('a step that a shutdown leaves alone is not ended by the lease that runs out after it', async () => {
  let begun: AbortSignal | undefined;
  let over = () => {};
  const expiring = {
    acquire: async () => ({ kind: 'granted' as const, epoch: 1, expiresAt: new Date() }),
    renew: async () => {
      throw new Error('the pool has ended');
    },
    release: async () => true,
    list: async () => [],
  };
  const runs = memory();
  const runner = createRunner({
    runs: {
      ...runs,
      holders: async () => [{ target: 'staging', run: 7 }],
      record: async () => true,
      recordAtDesk: async () => true,
      handled: async () => false,
    },
    leases: expiring,
    advance: {
      async run(_run, _fence, signal) {
        begun = signal.lost;
        await new Promise<void>((resolve) => {
          over = resolve;
        });
        return { kind: 'closed' };
      },
    },
    targets: ['staging'],
    owner: 'me',
    log,
    leaseMs: 300,
  });
  runner.start();
  const deadline = Date.now() + 10_000;
  while (begun === undefined && Date.now() < deadline) await sleep(5);
  await runner.stop(1);
  await sleep(600);
  expect(begun?.aborted).toBe(false);
  over();
});

test('an open request is waited for by the clock that decides, however this machine is off', async () => {
  const { state } = given(preflight, requestNext(), openGate(1));
  const runs = { ...memory(), load: async () => ({ state, version: 1 }) };
  const steps: Steps = {
    run: async (_state, at) => endOf(at),
    recover: async () => null,
  };
  const asked = advanceOf(runs, steps, { now: Promise.resolve(t0 + expiresMs - 1_000) });
  expect(await asked.run(7, fence, calm, () => false)).toEqual({ kind: 'waits', afterMs: 1_000 });
});

describe('before a change', () => {
  const block = { kind: 'phase', id: 'staging' } as const;
  const asking = (signs: () => Signs) => {
    let asked = 0;
    const confirm: Ask = async (_state, at) => {
      if (at.step !== 'apply') return null;
      asked += 1;
      const verdicts = { [bob]: { kind: 'eligible' } as const };
      return {
        type: 'ConfirmApproval',
        block,
        step: at.step,
        facts: { gate: 1, signs: signs(), verdicts, needs: 1 },
      };
    };
    return { confirm, asked: () => asked };
  };
  const stood: Signs = { kind: 'read', by: { approve: [bob], refuse: [], stop: [] } };
  const steps = (ran: string[]): Steps => ({
    run: async (_state, at) => {
      ran.push(at.step);
      return endOf(at);
    },
    recover: async () => null,
  });

  test('Slack is asked until it answers, and once it has, the change starts', async () => {
    const ran: string[] = [];
    let signs: Signs = { kind: 'not_asked', why: 'rate limit', retryAfterMs: 30_000 };
    const question = asking(() => signs);
    const runs = memory();
    const advance = advanceOf(runs, steps(ran), question);
    // Not before Slack said that it may be asked again.
    expect(await advance.run(7, fence, calm, () => false)).toEqual({ kind: 'again', afterMs: 30_000 });
    expect(ran).toEqual([]);
    signs = stood;
    await advance.run(7, fence, calm, () => false);
    expect(ran).toEqual(['apply', 'verify']);
    expect(question.asked()).toBe(2);
  });

  test('that Slack does not confirm, nothing is run, now or by the next holder of the lease', async () => {
    const ran: string[] = [];
    const question = asking(() => ({ kind: 'read', by: { approve: [], refuse: [], stop: [] } }));
    const runs = memory();
    const advance = advanceOf(runs, steps(ran), question);
    await advance.run(7, fence, calm, () => false);
    await advance.run(7, { ...fence, epoch: 2 }, calm, () => false);
    expect(ran).toEqual([]);
    expect(runs.state().stopped).toMatchObject({ by: 'm10bot' });
  });
});
