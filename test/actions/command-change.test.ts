import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandChange } from '../../src/actions/command-change.js';
import { codeChanges } from '../../src/checks/plan/manifest.js';
import { surveyDrift } from '../../src/runner/drift.js';
import { createWorld, runbook, type World } from '../checks/world.js';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());

it('binds an approval to the code of the program, and not to its arguments alone', async () => {
  const directory = join(world.directory, 'backend');
  await mkdir(directory);
  const script = join(directory, 'refresh.py');
  await writeFile(script, 'print("refresh")\n');
  const target = world.target({ databaseUrl: 'postgresql://u@127.0.0.1:1/none', directory });
  const step = runbook.phases[0]?.steps[0];
  const bound = commandChange(world.deps()).bind({ argv: ['python3', 'refresh.py'] });
  if (!bound.ok || step === undefined) throw new Error('the step cannot be bound');
  const parts = async () => {
    const survey = await bound.step.survey?.({ runbook, step, target });
    if (survey?.kind !== 'surveyed') throw new Error(`nothing was surveyed: ${JSON.stringify(survey)}`);
    return survey.parts;
  };
  const approved = await parts();
  expect(await parts()).toEqual(approved);
  await writeFile(script, 'print("drop everything")\n');
  expect((await parts())['code digest']).not.toBe(approved['code digest']);
});

describe('at a later step of the block', () => {
  const [step] = runbook.phases.flatMap((phase) => phase.steps);

  /** A project, what was approved of it, and what differs later. */
  async function project(name: string) {
    if (step === undefined) throw new Error('the runbook has no step');
    const directory = join(world.directory, name);
    await mkdir(join(directory, 'app'), { recursive: true });
    const write = (path: string, text: string) => writeFile(join(directory, path), text);
    await write('refresh.py', 'import app.work\n');
    await write('app/work.py', 'print("refresh")\n');
    const target = world.target({ databaseUrl: 'postgresql://u@127.0.0.1:1/none', directory });
    const bound = commandChange(world.deps()).bind({ argv: ['python3', 'refresh.py'] });
    const survey = async () => {
      const made = bound.ok ? await bound.step.survey?.({ runbook, step, target }) : undefined;
      if (made?.kind !== 'surveyed') throw new Error(`nothing was surveyed: ${JSON.stringify(made)}`);
      return made;
    };
    const { parts } = await survey();
    const approved = Object.fromEntries(Object.entries(parts).map(([n, v]) => [`${step.id}: ${n}`, v]));
    const gate = { fingerprint: { digest: 'd', parts: approved } } as unknown as Parameters<
      typeof surveyDrift
    >[0];
    return { write, drift: async () => surveyDrift(gate, step, await survey(), (text) => text) };
  }

  it('code that was changed meanwhile is not what was approved', async () => {
    const { write, drift } = await project('changed');
    expect(await drift()).toEqual([]);
    await write('app/work.py', 'print("drop everything")\n');
    expect(await drift()).toEqual(['code: app/work.py was changed since the approval']);
  });

  it('nor is code that was added, also as compiled alone', async () => {
    const { write, drift } = await project('added');
    await write('app/json.py', 'print("shadows a module")\n');
    await write('sitecustomize.pyc', 'compiled');
    expect(await drift()).toEqual([
      'code: app/json.py is new since the approval',
      'code: sitecustomize.pyc is new since the approval',
    ]);
  });

  it('what the steps before have written is none of it', async () => {
    const { write, drift } = await project('written');
    await write('report.xml', '<testsuite/>');
    await write('backup.dump', 'PGDMP');
    await write('app/worker.log', 'a line');
    expect(await drift()).toEqual([]);
  });

  it('many changes are told by their number', () => {
    const files = new Map(Array.from({ length: 30 }, (_, i) => [`f${i}.py`, 'a']));
    const lines = codeChanges(files, new Map());
    expect(lines).toHaveLength(11);
    expect(lines.at(-1)).toBe('code: 20 more files differ');
  });
});
