import { setTimeout as sleep } from 'node:timers/promises';
import { revisions } from '../../workspace/backend/variants.js';
import { CHANNELS, USERS } from '../../workspace/slack/people.js';
import { upgrade } from '../../workspace/trial/targets.js';
import type { Trial } from '../../workspace/trial/trial.js';
import type { World } from '../world.js';
import { withClient } from './target.js';

export interface BotWithJobs {
  readonly trial: Trial;
  readonly pid: number;
}

/** How long a command may take until the journal has what it decided, ms. */
const DEADLINE_MS = 30_000;

/**
 * A bot whose jobs run against a hardened production database, switched on as people do it.
 * @param section what `jobs` of its configuration says beside the target
 * @param which the job to switch on, or `all`
 */
export async function startBotWithJobs(
  world: World,
  section: Readonly<Record<string, unknown>>,
  which: string,
): Promise<BotWithJobs> {
  const trial = await world.trial({ change: { jobs: { target: 'production', ...section } } });
  try {
    const { backend, databases, people } = trial;
    const path = world.tools.value;
    await upgrade({ url: databases.production, backend, path, to: revisions.hardening });
    const { pid } = await trial.startBot();
    const said = { user: USERS.alice, channel: CHANNELS.incident, text: `/m10 jobs resume ${which}` };
    const answer = await people.say(said);
    if (!answer.ok) throw new Error(`the jobs could not be switched on: ${answer.error ?? ''}`);
    await resumed(databases.state);
    return { trial, pid };
  } catch (error) {
    await trial.stop();
    throw error;
  }
}

async function resumed(stateUrl: string): Promise<void> {
  await withClient(stateUrl, async (client) => {
    for (const deadline = Date.now() + DEADLINE_MS; Date.now() < deadline; await sleep(50)) {
      const { rows } = await client.query("SELECT 1 FROM m10bot.events WHERE type = 'JobsResumed'");
      if (rows.length > 0) return;
    }
    throw new Error('the jobs were not switched on in time');
  });
}
