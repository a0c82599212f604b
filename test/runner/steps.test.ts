import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEndAttempt } from '../../src/actions/end-attempt.js';
import { createProcesses, type Processes } from '../../src/clients/process.js';
import { evolve } from '../../src/runbook/evolve.js';
import type { Survey } from '../../src/runbook/step-kind.js';
import { createSteps } from '../../src/runner/steps.js';
import {
  approve,
  given,
  opened,
  openGate,
  preflight,
  ref,
  requestNext,
  spend,
  startStep,
  stop,
  t0,
} from '../runbook/spec.js';
import { digest, elsewhere, kindsWith, plannerOf, redact, target } from './sample.js';

let directory: string;
let processes: Processes;
const children: Promise<unknown>[] = [];
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'm10-steps-'));
  processes = createProcesses({ directory: join(directory, 'children') });
});
afterAll(async () => {
  await Promise.all(children);
  rmSync(directory, { recursive: true, force: true });
});

const at = (attempt: number) => ({ block: ref('staging'), step: 'apply', attempt });
const started = (attempt: number) => [
  ...preflight,
  requestNext(),
  openGate(1),
  approve(1),
  spend(1),
  startStep('staging', 'apply', attempt),
];
const never = new AbortController().signal;

function stepsWith(
  behaviour: Parameters<typeof kindsWith>[0],
  more: Partial<Parameters<typeof createSteps>[0]> = {},
) {
  // Nothing listens there: a database that cannot be asked must not keep a child alive.
  const databaseUrl = 'postgresql://u@127.0.0.1:1/none';
  const targets = { staging: target('staging', { databaseUrl }), production: target('production') };
  return createSteps({
    directory: 'directory-1',
    config: { targets },
    planner: plannerOf(targets, kindsWith(behaviour)),
    digest,
    elsewhere,
    redact,
    keepOutput: async () => 'output/kept.txt',
    endAttempt: createEndAttempt({ processes }),
    now: () => t0 + 5_000,
    log: { info() {}, warn() {}, error() {} },
    ...more,
  });
}

describe('a step that outlived its runner', () => {
  let folder = 0;
  /** A child below the attempt's folder, as a step of several programs has them. */
  async function survivor() {
    folder += 1;
    const own = createProcesses({ directory: join(directory, `survivor-${folder}`) });
    const id = 'run-7/phase.staging/apply/1/part';
    children.push(
      own.run({
        id,
        argv: ['sleep', '600'],
        cwd: directory,
        env: { PATH: '/usr/bin:/bin' },
        timeoutMs: 600_000,
      }),
    );
    const deadline = Date.now() + 10_000;
    while (own.look(id).kind !== 'running') {
      if (Date.now() > deadline) throw new Error('the child did not start');
      await sleep(5);
    }
    const probe = async () => {
      const { kind } = own.look(id);
      return kind === 'running'
        ? { kind, evidence: 'it runs' }
        : ({ kind: 'not_done', evidence: kind } as const);
    };
    return { own, id, behaviour: { probe }, endAttempt: createEndAttempt({ processes: own }) };
  }

  it('goes on while nobody wants its end', async () => {
    const { own, id, behaviour, endAttempt } = await survivor();
    const steps = stepsWith(behaviour, { endAttempt });
    for (const state of [given(started(1)).state, given(started(1), stop()).state]) {
      expect(await steps.recover(opened(state), at(1), never)).toBeNull();
    }
    expect(own.look(id).kind).toBe('running');
    await own.stop(id);
  });

  it('is ended by stop now, and is not begun again by itself', async () => {
    const { own, id, behaviour, endAttempt } = await survivor();
    const state = given(started(1), stop('UGINA', true)).state;
    const found = await stepsWith(behaviour, { endAttempt }).recover(opened(state), at(1), never);
    expect(own.look(id).kind).toBe('ended');
    expect(found).toMatchObject({ type: 'FinishStep', result: 'failed', recovered: true });
    expect(found).toMatchObject({ summary: expect.stringContaining('was stopped with the running step') });
  });

  it('is ended when its time is over', async () => {
    const { own, id, behaviour, endAttempt } = await survivor();
    const state = given(started(1)).state;
    const later = { endAttempt, now: () => t0 + 10 * 60_000 };
    const found = await stepsWith(behaviour, later).recover(opened(state), at(1), never);
    expect(own.look(id).kind).toBe('ended');
    expect(found).toMatchObject({
      result: 'failed',
      summary: expect.stringContaining('time of 600 s was over'),
    });
  });
});

describe('a change', () => {
  const surveyed = (sql: string): Survey => ({ kind: 'surveyed', parts: { sql }, sql: [], warnings: [] });
  const approvedWith = (sql: string) => {
    const fingerprint = { digest: 'd', parts: { 'apply: sql': sql, 'staging: revision': 'a' } };
    const spent = spend(1, { fingerprint: { kind: 'computed', fingerprint } });
    const open = { ...openGate(1), fingerprint } as ReturnType<typeof openGate>;
    return given(preflight, requestNext(), open, approve(1), spent, startStep('staging', 'apply')).state;
  };

  it('is not run when the code would do something else by now', async () => {
    let ran = false;
    const steps = stepsWith({
      survey: async () => surveyed('new'),
      run: async () => {
        ran = true;
        return { result: 'passed', summary: 'done' };
      },
    });
    const end = await steps.run(opened(approvedWith('old')), at(1), never);
    expect(ran).toBe(false);
    expect(end).toMatchObject({ result: 'failed', output: 'apply: sql: old when approved, new now' });
    expect(await steps.run(opened(approvedWith('new')), at(1), never)).toMatchObject({ result: 'passed' });
  });

  it('keeps its result when its long output cannot be kept', async () => {
    const output = 'x'.repeat(10_000);
    const steps = stepsWith(
      { run: async () => ({ result: 'passed', summary: 'done', output }) },
      {
        keepOutput: async () => {
          throw new Error('no space left on device');
        },
      },
    );
    const end = await steps.run(opened(given(started(1)).state), at(1), never);
    expect(end).toMatchObject({ result: 'passed', summary: 'done', outputFile: null });
  });
});

describe('the records of a child', () => {
  const beforeStart = [...preflight, requestNext(), openGate(1), approve(1), spend(1)];
  /** The same run, step and attempt number, started by an event with this hash, by the bot of a directory. */
  function startedBy(hash: string, where?: { directory: string; host: string }) {
    const event = { type: 'StepStarted' as const, ...at(1), target: 'staging', ...(where && { where }) };
    return opened(evolve(given(beforeStart).state, event, { at: t0, hash }));
  }
  const here = { directory: 'directory-1', host: 'bot-1' };
  const [former, present] = [digest('former'), digest('present')];
  const spec = (id: string) => ({
    id,
    argv: ['true'] as const,
    cwd: directory,
    env: { PATH: '/usr/bin:/bin' },
    timeoutMs: 60_000,
  });
  /** A program by whose records alone the probe knows what became of it. */
  const program: Parameters<typeof kindsWith>[0] = {
    run: async (_, { childId }) => {
      const { kind } = await processes.run(spec(childId));
      return { result: kind === 'exited' ? 'passed' : 'failed', summary: kind };
    },
    probe: async (_, { childId }) => {
      const sighting = processes.look(childId);
      if (sighting.kind === 'ended') return { kind: 'done', outcome: { result: 'passed', summary: 'ended' } };
      return { kind: 'not_done', evidence: sighting.kind };
    },
  };

  it('are not those of an attempt with the same number under another journal', async () => {
    const steps = stepsWith(program);
    expect(await steps.run(startedBy(former, here), at(1), never)).toMatchObject({ result: 'passed' });
    // It never ran: what lies there is another attempt's.
    expect(await steps.recover(startedBy(present, here), at(1), never)).toMatchObject({ type: 'RedoStep' });
    expect(await steps.run(startedBy(present, here), at(1), never)).toMatchObject({
      result: 'passed',
      summary: 'exited',
    });
    expect(await steps.recover(startedBy(present, here), at(1), never)).toMatchObject({ result: 'passed' });
  });

  it('prove nothing to a replica with another directory', async () => {
    const state = startedBy(digest('elsewhere'), { directory: 'directory-2', host: 'bot-2' });
    const found = await stepsWith(program).recover(state, at(1), never);
    expect(found).toMatchObject({ type: 'FinishStep', result: 'unknown', recovered: true });
    expect(found).toMatchObject({ output: expect.stringContaining('bot on bot-2') });
  });

  it('are not trusted to be missing when nobody noted where they would be', async () => {
    const found = await stepsWith(program).recover(startedBy(digest('old')), at(1), never);
    expect(found).toMatchObject({ type: 'FinishStep', result: 'unknown' });
  });
});
