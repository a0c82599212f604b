import type { Trial } from '../../trial/trial.js';
import type { Stage } from '../stage.js';
import { over, throughPreflight } from './migrate.js';

/**
 * The migration applies and its functions are broken, which counting them would not show: the phase fails on
 * staging, and Alice takes it back with Bob's approval before production was touched.
 */
export async function rollback(stage: Stage, _trial: Trial): Promise<void> {
  const run = await throughPreflight(stage);
  await stage.say('alice', '/m10 next');
  await stage.react('bob', await stage.message(`run:${run}:gate:1`), 'white_check_mark');
  const prompt = await stage.message(`run:${run}:prompt:`);
  stage.tell('Alice reads the prompt: staging is at 022, and one of its functions fails when it is called');
  await stage.press('alice', prompt, 'run_rollback');
  const asked = await stage.message(`run:${run}:gate:2`);
  stage.tell('The way back begins with the periodic jobs: whatever runs of them is ended, and they stay off');
  await stage.react('bob', asked, 'white_check_mark');
  await over(stage, run);
}
