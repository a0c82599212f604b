import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { commitBackend } from '../../workspace/backend/layout.js';
import { eventually } from '../support/processes.js';
import { eventsOf, keepChannel, words } from './acts.js';
import { cheap, leaveMark, openShelf, phase, type Shelf } from './runbooks.js';
import { openTheatre, type Theatre } from './support.js';

vi.setConfig({ testTimeout: 240_000 });

let theatre: Theatre;
let shelf: Shelf;
beforeAll(async () => {
  [theatre, shelf] = await Promise.all([openTheatre(), openShelf()]);
});
afterAll(async () => {
  await theatre.close();
  await shelf.close();
});

it('a program that was changed while an earlier step of its block ran is not started', async () => {
  const [first, second] = [join(shelf.directory, 'first'), join(shelf.directory, 'second')];
  const tidy = {
    id: 'tidy',
    uses: 'command.change',
    with: { argv: ['/bin/sh', 'tidy.sh'] },
  };
  const runbook = await shelf.write(cheap([phase('work', [leaveMark('wait', first, 6), tidy])]));
  const play = await theatre.open({ runbook });
  try {
    const script = join(play.trial.backend, 'tidy.sh');
    await writeFile(script, `echo approved >> ${second}\n`);
    await commitBackend(play.trial.backend, 'A script');
    await play.preflight();
    await play.phase(1);
    const begun = async () => (await readFile(first, 'utf8').catch(() => '')) === 'begun\n';
    expect(await eventually(begun)).toBe(true);
    await writeFile(script, `echo meddled >> ${second}\n`);
    const told = await play.text(/tidy.* not run: what it would do now is not what was approved/is);
    expect(words(told)).toContain('tidy.sh was changed since the approval');
    const ends = (await eventsOf(play, 'StepFinished')).map((e) => [e.step, e.result]);
    expect(ends).toContainEqual(['wait', 'passed']);
    expect(ends).toContainEqual(['tidy', 'failed']);
  } finally {
    await keepChannel(play, 'changed code');
    await play.trial.stop();
  }
});
