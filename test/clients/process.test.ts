import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProcesses, LeftAlone, type ProcessSpec } from '../../src/clients/process.js';
import { compileTo } from './compiled.js';

const env = { PATH: '/usr/bin:/bin' };
let directory: string;
let next = 0;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'm10-process-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

function spec(argv: ProcessSpec['argv'], more: Partial<ProcessSpec> = {}): ProcessSpec {
  next += 1;
  return { id: `run-1/step.${next}/1`, argv, cwd: directory, env, timeoutMs: 30_000, ...more };
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await what())) {
    if (Date.now() > deadline) throw new Error('It did not come true in 20 s.');
    await sleep(10);
  }
}

/** Whether a process of the group runs, by /proc and not by the code under test. */
function membersOf(group: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const [state, , pgrp] = text.slice(text.lastIndexOf(')') + 2).split(' ');
        return Number(pgrp) === group && state !== 'Z';
      } catch {
        return false;
      }
    });
}

describe('run', () => {
  it('returns exit code and output, and leaves both in files that only the owner reads', async () => {
    const processes = createProcesses({ directory });
    const one = spec(['sh', '-c', 'echo out; echo err >&2; exit 3']);
    const result = await processes.run(one);
    expect(result).toMatchObject({ kind: 'exited', exitCode: 3, stdout: 'out\n', stderr: 'err\n' });
    const paths = processes.paths(one.id);
    expect(statSync(paths.stdout).mode & 0o777).toBe(0o600);
    expect(statSync(paths.child).mode & 0o777).toBe(0o600);
    expect(statSync(paths.folder).mode & 0o777).toBe(0o700);
    expect(processes.look(one.id)).toMatchObject({ kind: 'ended', exit: { kind: 'exited', exitCode: 3 } });
  });

  it('gives the child the environment of the spec and nothing else', async () => {
    process.env.M10_PROCESS_TEST = 'leak';
    const result = await createProcesses({ directory }).run(
      spec(['/usr/bin/env'], { env: { ...env, ONLY: 'this' } }),
    );
    delete process.env.M10_PROCESS_TEST;
    expect(result).toMatchObject({ kind: 'exited', stdout: 'PATH=/usr/bin:/bin\nONLY=this\n' });
  });

  it('passes arguments as they are, without a shell', async () => {
    const result = await createProcesses({ directory }).run(spec(['printf', '%s', '$(id); `id` *']));
    expect(result).toMatchObject({ stdout: '$(id); `id` *' });
  });

  it('says which program was not found and where it looked', async () => {
    const processes = createProcesses({ directory });
    const one = spec(['no-such-program']);
    expect(await processes.run(one)).toEqual({
      kind: 'not_started',
      code: 'not_found',
      reason: 'not found: no-such-program (looked in PATH /usr/bin:/bin)',
    });
    expect(processes.look(one.id)).toEqual({ kind: 'never_started' });
    expect(await processes.run(spec(['sh'], { cwd: join(directory, 'absent') }))).toMatchObject({
      code: 'no_directory',
    });
    const plain = join(directory, 'plain');
    writeFileSync(plain, '', { mode: 0o600 });
    expect(await processes.run(spec([plain]))).toMatchObject({ code: 'not_executable' });
  });

  it('reports a file that the kernel cannot execute as not started', async () => {
    const broken = join(directory, 'broken');
    writeFileSync(broken, '#!/no/such/interpreter\n', { mode: 0o700 });
    const processes = createProcesses({ directory });
    const one = spec([broken]);
    expect(await processes.run(one)).toMatchObject({ kind: 'not_started', code: 'other' });
    expect(processes.look(one.id)).toEqual({ kind: 'never_started' });
  });

  it('cuts long output in the middle and keeps the whole in the file', async () => {
    const result = await createProcesses({ directory }).run(
      spec(['sh', '-c', 'echo first; seq 1 20000; echo last'], { maxOutputBytes: 100 }),
    );
    if (result.kind !== 'exited') throw new Error(result.kind);
    expect(result.stdout).toMatch(/^first\n/);
    expect(result.stdout).toMatch(/last\n$/);
    expect(result.stdout).toContain('bytes left out');
    expect(readFileSync(result.stdoutPath, 'utf8')).toContain('\n9999\n');
  });

  it('never writes over the output of an id that was used', async () => {
    const processes = createProcesses({ directory });
    const one = spec(['echo', 'first']);
    await processes.run(one);
    expect(await processes.run({ ...one, argv: ['echo', 'second'] })).toMatchObject({ code: 'id_used' });
    expect(readFileSync(processes.paths(one.id).stdout, 'utf8')).toBe('first\n');
  });

  it('lets no child live that could not be recorded', async () => {
    const processes = createProcesses({ directory });
    const one = spec(['sleep', '300']);
    mkdirSync(join(processes.paths(one.id).folder, 'child.json.part'), { recursive: true });
    const result = await processes.run(one);
    // It ran for a moment: nobody may say that it never started.
    expect(result).toMatchObject({ kind: 'killed_by_signal', stderr: expect.stringContaining('EISDIR') });
    expect(processes.look(one.id).kind).toBe('unknown');
  });

  it('refuses an id that leads out of the directory', async () => {
    await expect(createProcesses({ directory }).run(spec(['true'], { id: '../outside' }))).rejects.toThrow(
      /plain path segments/,
    );
  });

  it('redacts the arguments it records', async () => {
    const processes = createProcesses({ directory, redact: (text) => text.replace('hunter2', '[hidden]') });
    const one = spec(['echo', 'pw=hunter2']);
    await processes.run(one);
    const record = readFileSync(processes.paths(one.id).child, 'utf8');
    expect(record).toContain('pw=[hidden]');
    expect(record).not.toContain('hunter2');
  });

  it('ends the whole group at the timeout, children included', async () => {
    const processes = createProcesses({ directory });
    const one = spec(['sh', '-c', 'sleep 300 & sleep 300'], { timeoutMs: 150 });
    const result = await processes.run(one);
    expect(result).toMatchObject({ kind: 'timed_out', signal: 'SIGTERM' });
    const { pid } = JSON.parse(readFileSync(processes.paths(one.id).child, 'utf8'));
    expect(membersOf(pid)).toEqual([]);
  });

  it('kills a group that ignores TERM', async () => {
    const result = await createProcesses({ directory }).run(
      spec(['sh', '-c', 'trap "" TERM; sleep 300 & wait; sleep 300'], { timeoutMs: 150, graceMs: 150 }),
    );
    expect(result).toMatchObject({ kind: 'timed_out', signal: 'SIGKILL' });
  });

  it('reports the first cause when a stop and a timeout meet', async () => {
    const controller = new AbortController();
    const processes = createProcesses({ directory });
    const one = spec(['sh', '-c', 'trap "" TERM; echo up; while :; do sleep 0.05; done'], {
      signal: controller.signal,
      timeoutMs: 1_000,
      graceMs: 1_500,
    });
    const running = processes.run(one);
    await until(async () => (await processes.tail(one.id, 100)).stdout === 'up\n');
    controller.abort();
    expect(await running).toMatchObject({ kind: 'stopped', signal: 'SIGKILL' });
  });

  it('does not start what was stopped before', async () => {
    const one = spec(['true'], { signal: AbortSignal.abort() });
    expect(await createProcesses({ directory }).run(one)).toMatchObject({ code: 'stopped_before' });
  });

  it('leaves alone what somebody else takes over, ends nothing of it, and starts nothing more', async () => {
    const processes = createProcesses({ directory, leaves: (reason) => reason === 'taken over' });
    const fence = new AbortController();
    const one = spec(['sh', '-c', 'sleep 2; echo done'], { signal: fence.signal, timeoutMs: 1_000 });
    const run = processes.run(one);
    await until(() => processes.look(one.id).kind === 'running');
    fence.abort('taken over');
    await expect(run).rejects.toThrow(LeftAlone);
    expect(processes.look(one.id).kind).toBe('running');
    await expect(processes.run(spec(['true'], { signal: fence.signal }))).rejects.toThrow(LeftAlone);
    // Its end is still recorded, for whoever has taken over.
    await until(() => processes.look(one.id).kind === 'ended');
    expect(processes.look(one.id)).toMatchObject({ exit: { kind: 'exited', exitCode: 0 } });
    expect(readFileSync(processes.paths(one.id).stdout, 'utf8')).toBe('done\n');
  });

  it('tells a child that a stranger killed', async () => {
    const result = await createProcesses({ directory }).run(spec(['sh', '-c', 'kill -9 $$']));
    expect(result).toMatchObject({ kind: 'killed_by_signal', signal: 'SIGKILL' });
  });
});

describe('look and stop', () => {
  it('knows nothing of an id that was never used', () => {
    expect(createProcesses({ directory }).look('run-9/none/1')).toEqual({ kind: 'never_started' });
  });

  it('finds a running child by a second look, and ends it', async () => {
    const one = spec(['sleep', '300']);
    const running = createProcesses({ directory }).run(one);
    const other = createProcesses({ directory });
    await until(() => other.look(one.id).kind === 'running');
    expect(await other.stop(one.id)).toEqual({ kind: 'stopped', signal: 'SIGTERM' });
    expect(await running).toMatchObject({ kind: 'killed_by_signal', signal: 'SIGTERM' });
    expect(await other.stop(one.id)).toMatchObject({ kind: 'not_running', sighting: { kind: 'ended' } });
  });

  it.each([
    ['start time', { startTicks: 1 }, 'ended'],
    ['boot', { bootId: 'another boot' }, 'ended'],
    ['host', { host: 'elsewhere' }, 'unknown'],
  ])('does not take a process with another %s for the child', async (_what, change, expected) => {
    const processes = createProcesses({ directory });
    const one = spec(['sleep', '300']);
    const controller = new AbortController();
    const running = processes.run({ ...one, signal: controller.signal });
    await until(() => processes.look(one.id).kind === 'running');
    const copy = spec(['true']);
    await processes.run(copy);
    const paths = processes.paths(copy.id);
    rmSync(paths.exit);
    const record = JSON.parse(readFileSync(processes.paths(one.id).child, 'utf8'));
    writeFileSync(paths.child, JSON.stringify({ ...record, ...change }));
    expect(processes.look(copy.id).kind).toBe(expected);
    controller.abort();
    await running;
  });

  it('still calls it running when the leader has ended and its child works on', async () => {
    const processes = createProcesses({ directory });
    const one = spec(['sh', '-c', 'sleep 300 & echo left']);
    expect(await processes.run(one)).toMatchObject({ kind: 'exited', stdout: 'left\n' });
    rmSync(processes.paths(one.id).exit);
    expect(processes.look(one.id).kind).toBe('running');
    await processes.stop(one.id);
    expect(processes.look(one.id)).toEqual({ kind: 'ended', exit: null });
  });
});

it('takes the end by a signal for a timeout when the signal is one', async () => {
  const processes = createProcesses({ directory });
  const result = await processes.run(spec(['sleep', '60'], { signal: AbortSignal.timeout(50) }));
  expect(result.kind).toBe('timed_out');
});

describe('the death of the parent', () => {
  let module: (file: string) => string;
  beforeAll(() => {
    const parts = ['below', 'ending', 'identity', 'lookup', 'output', 'records', 'sight'];
    const files = ['src/clients/process.ts', ...parts.map((part) => `src/clients/process/${part}.ts`)];
    module = compileTo(join(directory, 'compiled'), files);
  });

  it('leaves a child alone, which finishes with all its output in the file', async () => {
    const go = join(directory, 'go');
    const parent = startParent(
      'after-kill/step/1',
      `while [ ! -e ${go} ]; do sleep 0.02; done; seq 1 5000; echo done`,
    );
    const processes = createProcesses({ directory });
    await until(() => processes.look('after-kill/step/1').kind === 'running');
    const closed = new Promise((resolve) => parent.once('close', resolve));
    parent.kill('SIGKILL');
    await closed;
    expect(processes.look('after-kill/step/1').kind).toBe('running');
    writeFileSync(go, '');
    await until(() => processes.look('after-kill/step/1').kind === 'ended');
    expect(processes.look('after-kill/step/1')).toEqual({ kind: 'ended', exit: null });
    const stdout = readFileSync(processes.paths('after-kill/step/1').stdout, 'utf8').trim().split('\n');
    expect(stdout).toHaveLength(5_001);
    expect(stdout.at(-1)).toBe('done');
  });

  it('can exit after a release while the child runs on', async () => {
    const id = 'after-release/step/1';
    const parent = startParent(id, 'exec sleep 300', true);
    const code = await new Promise((resolve) => parent.once('close', resolve));
    // 13 is what Node exits with when nothing but an unfinished await is left.
    expect(code).toBe(13);
    const processes = createProcesses({ directory });
    expect(processes.look(id).kind).toBe('running');
    await processes.stop(id);
  });

  function startParent(id: string, script: string, release = false) {
    const file = join(directory, `parent-${id.replaceAll('/', '-')}.mjs`);
    writeFileSync(
      file,
      `import { createProcesses } from ${JSON.stringify(module('src/clients/process.ts'))};
       const processes = createProcesses({ directory: ${JSON.stringify(directory)} });
       const running = processes.run({ id: ${JSON.stringify(id)}, argv: ['sh', '-c', ${JSON.stringify(script)}],
         cwd: '/', env: { PATH: '/usr/bin:/bin' }, timeoutMs: 60000 });
       if (${release}) {
         while (processes.look(${JSON.stringify(id)}).kind !== 'running') await new Promise((r) => setTimeout(r, 5));
         processes.release();
       }
       await running;`,
    );
    return spawn(process.execPath, [file], { stdio: 'ignore' });
  }
});
