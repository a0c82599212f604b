import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { commandChange } from '../../src/actions/command-change.js';
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
    const survey = await bound.step.survey?.({ runbook, step, target, redact: (text) => text });
    if (survey?.kind !== 'surveyed') throw new Error(`nothing was surveyed: ${JSON.stringify(survey)}`);
    return survey.parts;
  };
  const approved = await parts();
  expect(await parts()).toEqual(approved);
  await writeFile(script, 'print("drop everything")\n');
  expect((await parts())['code digest']).not.toBe(approved['code digest']);
});
