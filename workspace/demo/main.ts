import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startServices } from '../services/services.js';
import { repositoryRoot, toolPath } from '../services/tools.js';
import { USERS } from '../slack/people.js';
import { createTrial, type Trial, type TrialOptions } from '../trial/trial.js';
import { createShow } from './channel.js';
import { createStage, type Stage } from './stage.js';
import { migrate } from './stories/migrate.js';
import { refusals } from './stories/refusals.js';
import { rollback } from './stories/rollback.js';

interface Story {
  readonly title: string;
  readonly variant: NonNullable<TrialOptions['variant']>;
  play(stage: Stage, trial: Trial): Promise<void>;
}

const stories: Readonly<Record<string, Story>> = {
  migrate: {
    title: 'Migration 022, from the first look to a verified production',
    variant: 'good',
    play: migrate,
  },
  rollback: {
    title: 'A migration that applies and does not work',
    variant: 'publish-outbox-fails',
    play: rollback,
  },
  refusals: { title: 'What does not count, and why', variant: 'good', play: refusals },
};

const help = `Plays a story of m10bot on private services of this machine.

  npm run demo                           ${stories.migrate?.title ?? ''}
  npm run demo -- --scenario rollback    ${stories.rollback?.title ?? ''}
  npm run demo -- --scenario refusals    ${stories.refusals?.title ?? ''}
  npm run demo -- --stay                 leaves everything running afterwards, and says how to talk to it
`;

const colour = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
const bold = (text: string) => (colour ? `\u001b[1m${text}\u001b[0m` : text);
const dim = (text: string) => (colour ? `\u001b[2m${text}\u001b[0m` : text);
const write = (line: string) => process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string', default: 'migrate' },
      stay: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const story = stories[values.scenario];
  if (values.help || story === undefined) {
    write(help);
    if (story === undefined) write(`There is no scenario ${values.scenario}.`);
    return values.help ? 0 : 2;
  }

  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => resolve('interrupted'));
    }
  });
  const started = Date.now();
  write(bold(story.title));
  write(dim('Starting a private PostgreSQL, Redis, Slack stand-in and the bot …'));
  const setting = setUp(story);
  const up = await Promise.race([setting, interrupted]);
  if (up === 'interrupted') {
    await setting.then((s) => s.stop()).catch(() => undefined);
    return 130;
  }
  try {
    const end = await Promise.race([play(story, up.trial).then(() => 'done' as const), interrupted]);
    if (end === 'interrupted') return 130;
    write('');
    write(bold(`The story is over after ${((Date.now() - started) / 1000).toFixed(1)} s.`));
    if (values.stay) {
      tellHowToTalk(up.trial);
      await interrupted;
    }
    return 0;
  } finally {
    await up.stop();
  }
}

async function setUp(story: Story): Promise<{ trial: Trial; stop(): Promise<void> }> {
  const tools = await toolPath();
  const services = await startServices();
  try {
    const directory = join(services.directory, 'trial');
    await mkdir(directory);
    const trial = await createTrial({
      server: { adminUrl: services.postgres.adminUrl },
      redis: { staging: services.redis.createDb(), production: services.redis.createDb() },
      directory,
      dist: join(await repositoryRoot(), 'dist'),
      tools,
      watch: services.watch,
      variant: story.variant,
    });
    try {
      await trial.startBot();
    } catch (error) {
      await trial.stop();
      throw error;
    }
    return {
      trial,
      async stop() {
        await trial.stop();
        await services.stop();
      },
    };
  } catch (error) {
    await services.stop();
    throw error;
  }
}

async function play(story: Story, trial: Trial): Promise<void> {
  const show = createShow({
    people: trial.people,
    write,
    colour,
    width: Math.min(process.stdout.columns ?? 110, 120),
    watched: [USERS.alice, USERS.bob, USERS.dave],
  });
  show.follow();
  const stage = createStage({
    people: trial.people,
    tell: (text) => {
      write('');
      write(bold(`▸ ${text}`));
    },
  });
  try {
    await story.play(stage, trial);
    await published(trial);
  } finally {
    await show.end();
  }
}

/** Slack takes one message a second, so the last results may still be on their way when the run is over. */
async function published(trial: Trial): Promise<void> {
  const client = new pg.Client({ connectionString: trial.databases.state });
  await client.connect();
  try {
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
      const { rowCount } = await client.query(
        'SELECT FROM m10bot.cursors, m10bot.journal_head AS head WHERE cursors.position < head.position',
      );
      if (rowCount === 0) return;
      await sleep(100);
    }
  } finally {
    await client.end();
  }
}

function tellHowToTalk(trial: Trial): void {
  const say = JSON.stringify({ user: USERS.alice, channel: 'C0INCIDENT', text: '/m10 status' });
  write(`
Everything goes on running. From another terminal:

  say something    curl -s ${trial.slack.peopleUrl}/say -H 'content-type: application/json' -d '${say}'
  read the channel curl -s ${trial.slack.peopleUrl}/read -H 'content-type: application/json' -d '{"channel":"C0INCIDENT"}'
  react            curl -s ${trial.slack.peopleUrl}/react -H 'content-type: application/json' -d '{"user":"${USERS.bob}","channel":"C0INCIDENT","ts":"TS","emoji":"white_check_mark"}'
  production       psql "${trial.databases.production}"
  the bot's log    ${join(trial.directory, 'bot.log')}

Ctrl-C ends it all and leaves nothing behind.`);
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
});
