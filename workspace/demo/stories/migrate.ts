import type { Trial } from '../../trial/trial.js';
import type { Stage } from '../stage.js';
import { jobsAtWork } from './jobs.js';

/** From the first look to a verified production whose jobs run: Alice drives, Bob approves. */
export async function migrate(stage: Stage, trial: Trial): Promise<void> {
  const run = await throughPreflight(stage);
  for (const [gate, phase] of [
    [1, 'staging'],
    [2, 'production'],
    [3, 'verification'],
    [4, 'jobs'],
  ] as const) {
    await stage.say('alice', '/m10 next');
    const asked = await stage.message(`run:${run}:gate:${gate}`);
    stage.tell(`Bob reads what he approves: the ${phase} phase`);
    await stage.react('bob', asked, 'white_check_mark');
    if (phase !== 'jobs') await done(stage, run, phase);
  }
  await over(stage, run);
  await jobsAtWork(stage, trial);
}

/** Waits until the run is closed and its card says so. */
export async function over(stage: Stage, run: number): Promise<void> {
  await stage.message(`run:${run}:closed`);
  await stage.message(`run:${run}:card`, (card) => /verified|rolled back|closed/i.test(card.text));
}

/** Opens a run and waits until its checks are done. */
export async function throughPreflight(stage: Stage, run = 1): Promise<number> {
  await stage.say('alice', '/m10 preflight');
  await done(stage, run, 'preflight');
  return run;
}

/** Waits until the channel is told that a phase is done. */
export async function done(stage: Stage, run: number, phase: string): Promise<void> {
  await stage.message(`run:${run}:finished`, (m) => m.text.includes(`phase ${phase} `));
}
