import { revisions } from '../../backend/variants.js';
import { USERS } from '../../slack/people.js';
import { upgrade } from '../../trial/targets.js';
import type { Trial } from '../../trial/trial.js';
import type { Stage } from '../stage.js';
import { over, throughPreflight } from './migrate.js';

/** Everything that must not count, and how each person is answered. */
export async function refusals(stage: Stage, trial: Trial): Promise<void> {
  await stage.say('dave', '/m10 preflight');
  await stage.message('desk:');
  const run = await throughPreflight(stage);
  await stage.say('alice', '/m10 nxet');
  await stage.say('alice', '/m10 rollback just in case');
  await stage.say('alice', '/m10 next');
  const first = await stage.message(`run:${run}:gate:1`);

  stage.tell('Nobody of these may approve, for five different reasons');
  const answered = async (who: 'alice' | 'dave' | 'gina' | 'rob') => {
    await stage.react(who, first, 'white_check_mark');
    await stage.message(
      `run:${run}:`,
      (m) => m.thread_ts === first.ts && m.text.includes(`<@${USERS[who]}>`),
    );
  };
  for (const who of ['alice', 'dave', 'gina', 'rob'] as const) await answered(who);

  stage.tell('Somebody migrates staging by hand while the request is open; then Bob approves');
  const tools = trial.botEnv.PATH ?? '';
  await upgrade({
    url: trial.databases.staging,
    backend: trial.backend,
    path: tools,
    to: revisions.hardening,
  });
  await stage.react('bob', first, 'white_check_mark');
  await stage.message(`run:${run}:gate:1`, (m) => /void/i.test(m.text));

  stage.tell('Dave, who may only look, stops the run: everyone may');
  await stage.say('dave', '/m10 stop something is odd');
  await stage.message(`run:${run}:card`, (m) => /stopped/i.test(m.text));
  await stage.say('alice', '/m10 next');
  await stage.say('alice', '/m10 close staging was changed by hand');
  await over(stage, run);
}
