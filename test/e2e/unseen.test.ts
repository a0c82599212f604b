import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { revisions } from '../../workspace/backend/variants.js';
import { done, eventsOf, gate, words } from './acts.js';
import { apply, cheap, openShelf, phase, type Shelf } from './runbooks.js';
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

const Notes = z.object({ notes: z.array(z.string()).default([]) });

it('what no printed SQL shows is told before staging, and shown as staging executed it before production', async () => {
  const play = await theatre.open({
    variant: 'unseen-by-offline-sql',
    runbook: await shelf.write(
      cheap([phase('trial', [apply('staging')]), phase('real', [apply('production')], { on: 'production' })]),
    ),
  });
  const notesOf = async (step: string) =>
    Notes.parse((await eventsOf(play, 'StepFinished')).find((e) => e.step === step)).notes;
  try {
    await play.preflight();
    await play.say('alice', '/m10 next');
    const first = words(await gate(play, 1));
    expect(first).toMatch(/it can execute more than the SQL shown here/);
    expect(first).not.toMatch(/DELETE FROM public\.recovery_candidates/);
    await play.react('bob', await gate(play, 1));
    await done(play, 'trial');
    expect((await notesOf('staging.apply')).join()).toMatch(
      /3 statements executed that the printed SQL did not have: UPDATE public\.recovery_candidates/,
    );

    await play.say('alice', '/m10 next');
    const second = words(await gate(play, 2));
    expect(second).toMatch(/DELETE FROM public\.recovery_candidates WHERE id = \d+/);
    expect(second).toMatch(/UPDATE public\.recovery_candidates SET suggestion = 'none'/);
    expect(second).toMatch(/staging/);
    // Linted like the printed SQL.
    expect(second).toMatch(/throws rows or whole objects away.*executed on staging/);
    expect(await play.revision('production')).toBe(revisions.before);
    await play.react('bob', await gate(play, 2));
    const closed = await play.message('run:1:closed');
    expect(closed.text).toMatch(/Verified, with differences/);
    expect(await notesOf('production.apply')).toEqual([]);
    expect(await play.revision('production')).toBe(revisions.hardening);
  } finally {
    await play.trial.stop();
  }
});
