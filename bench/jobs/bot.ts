import { setTimeout as sleep } from 'node:timers/promises';
import { revisions } from '../../workspace/backend/variants.js';
import { keyOf } from '../../workspace/demo/stage.js';
import { CHANNELS, USERS } from '../../workspace/slack/people.js';
import { upgrade } from '../../workspace/trial/targets.js';
import type { Trial } from '../../workspace/trial/trial.js';
import type { World } from '../world.js';
import { withClient } from './target.js';

export interface BotWithJobs {
  readonly trial: Trial;
  readonly pid: number;
}

/** How long a command may take until the journal has what it decided, ms; a busy machine takes its time. */
const DEADLINE_MS = 90_000;

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
    await resumed(databases.state, () => approved(people));
    return { trial, pid };
  } catch (error) {
    await trial.stop();
    throw error;
  }
}

/** Switching schedules on is an approval of what they do: Bob gives his ✅ once the request stands in the channel. */
async function approved(people: Trial['people']): Promise<boolean> {
  const channel = CHANNELS.incident;
  const { messages } = await people.read({ channel });
  const request = messages.find((message) => /^run:\d+:gate:\d+$/.test(keyOf(message) ?? ''));
  if (request === undefined) return false;
  await people.react({ user: USERS.bob, channel, ts: request.ts, emoji: 'white_check_mark' });
  return true;
}

async function resumed(stateUrl: string, approve: () => Promise<boolean>): Promise<void> {
  await withClient(stateUrl, async (client) => {
    let given = false;
    for (const deadline = Date.now() + DEADLINE_MS; Date.now() < deadline; await sleep(50)) {
      const { rows } = await client.query("SELECT 1 FROM m10bot.events WHERE type = 'JobsResumed'");
      if (rows.length > 0) return;
      if (!given) given = await approve();
    }
    throw new Error('the jobs were not switched on in time');
  });
}
