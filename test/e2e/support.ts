import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import { keyOf } from '../../workspace/demo/stage.js';
import { dropDatabase } from '../../workspace/services/databases.js';
import { toolPath } from '../../workspace/services/tools.js';
import type { SeenMessage } from '../../workspace/slack/people/protocol.js';
import { CHANNELS, USERS } from '../../workspace/slack/people.js';
import { prepareTargets } from '../../workspace/trial/targets.js';
import { createTrial, type Trial, type TrialOptions } from '../../workspace/trial/trial.js';
import { compiled } from '../support/compiled.js';
import { freshRedis } from '../support/database.js';

export type Who = Exclude<keyof typeof USERS, 'bot' | 'slackbot'>;
export const channel = CHANNELS.incident;

/** Everything a test file needs to play runs: made once, for the databases are copies of one template. */
export interface Theatre {
  /** Sets up a trial with a running bot; it is taken down by `close`. */
  open(options?: Partial<TrialOptions>): Promise<Play>;
  close(): Promise<void>;
}

/** One trial and its people, who speak Slack's protocol and see the channel alone. */
export interface Play {
  readonly trial: Trial;
  /** Types a command; the answers that came with the acknowledgement. */
  say(who: Who, text: string): Promise<string[]>;
  react(who: Who, on: SeenMessage, emoji?: string): Promise<void>;
  unreact(who: Who, on: SeenMessage, emoji?: string): Promise<void>;
  press(who: Who, on: SeenMessage, action: string): Promise<void>;
  /** The newest message whose key starts so and that fits; waits for it. */
  message(key: string, when?: (m: SeenMessage) => boolean, timeoutMs?: number): Promise<SeenMessage>;
  /** A message of the channel whose text matches; waits for it. */
  text(pattern: RegExp, timeoutMs?: number): Promise<SeenMessage>;
  /** Asks for the next phase and gives Bob's ✅. */
  phase(gate: number, run?: number): Promise<void>;
  preflight(run?: number): Promise<void>;
  revision(target: 'staging' | 'production'): Promise<string | null>;
  query(target: 'staging' | 'production' | 'state', sql: string): Promise<Record<string, unknown>[]>;
  /** Types of the run's events, in order, from the bot's own journal. */
  journal(run?: number): Promise<{ type: string; data: Record<string, unknown> }[]>;
}

export async function openTheatre(): Promise<Theatre> {
  const dist = await compiled();
  const tools = await toolPath();
  const adminUrl = inject('postgresAdminUrl');
  const tag = randomBytes(4).toString('hex');
  const template = `e2e_${tag}_template`;
  const root = await mkdtemp(join(tmpdir(), 'm10-e2e-'));
  await prepareTargets({
    server: { adminUrl },
    names: [template],
    directory: join(root, 'template'),
    path: tools.value,
  });
  const releases: (() => Promise<void>)[] = [
    () => rm(root, { recursive: true, force: true, maxRetries: 5 }),
    () => dropDatabase(adminUrl, template),
  ];
  let count = 0;
  return {
    async open(options = {}) {
      count += 1;
      // Several may be opened at once: each keeps its own number.
      const number = count;
      const [staging, production] = await Promise.all([freshRedis(), freshRedis()]);
      const trial = await createTrial({
        server: { adminUrl },
        redis: { staging: staging.url, production: production.url },
        directory: await mkdtemp(join(root, 'trial-')),
        dist,
        tools,
        // The services that all tests share go with the test run; a bot is ended by its own test file.
        watch: () => undefined,
        template,
        name: `e2e_${tag}_${number}`,
        slack: { rateLimits: 'off', ...options.slack },
        ...options,
      });
      releases.push(async () => {
        await trial.stop();
        await Promise.all([staging.drop(), production.drop()]);
      });
      await trial.startBot();
      return createPlay(trial);
    },
    async close() {
      for (const release of releases.splice(0).reverse()) await release();
    },
  };
}

function createPlay(trial: Trial): Play {
  const { people } = trial;
  const find = (what: string, look: (all: SeenMessage[]) => SeenMessage | undefined, timeoutMs: number) =>
    people.until(
      async () => look((await people.read({ channel })).messages),
      timeoutMs,
      async () => {
        const { messages } = await people.read({ channel });
        const last = messages.slice(-10).map((m) => `${keyOf(m) ?? '-'}: ${m.text.slice(0, 300)}`);
        return `${what}; the last messages:\n${last.join('\n')}\nthe bot's log ends with:\n${(await trial.bot().log()).slice(-1_500)}`;
      },
    );
  const play: Play = {
    trial,
    async say(who, text) {
      const answer = await people.say({ user: USERS[who], channel, text });
      if (!answer.ok) throw new Error(`Slack told ${who}: ${answer.error ?? 'an unknown error'}`);
      return answer.responses.map((r) => r.text);
    },
    async react(who, on, emoji = 'white_check_mark') {
      await people.react({ user: USERS[who], channel, ts: on.ts, emoji });
    },
    async unreact(who, on, emoji = 'white_check_mark') {
      await people.unreact({ user: USERS[who], channel, ts: on.ts, emoji });
    },
    async press(who, on, action) {
      await people.press({ user: USERS[who], channel, ts: on.ts, action_id: action });
    },
    message: (key, when = () => true, timeoutMs = 90_000) =>
      find(
        `a message ${key}`,
        (all) => all.findLast((m) => (keyOf(m) ?? '').startsWith(key) && when(m)),
        timeoutMs,
      ),
    text: (pattern, timeoutMs = 90_000) =>
      find(`a message like ${pattern}`, (all) => all.findLast((m) => pattern.test(m.text)), timeoutMs),
    async phase(gate, run = 1) {
      await play.say('alice', '/m10 next');
      await play.react('bob', await play.message(`run:${run}:gate:${gate}`));
    },
    async preflight(run = 1) {
      await play.say('alice', '/m10 preflight');
      await play.text(new RegExp(`Run ${run}: phase preflight .* is done`));
    },
    async revision(target) {
      const rows = await play.query(target, 'SELECT version_num FROM alembic_version');
      return rows[0] === undefined ? null : String(rows[0].version_num);
    },
    async query(target, sql) {
      const client = new pg.Client({ connectionString: trial.databases[target] });
      await client.connect();
      try {
        return (await client.query(sql)).rows;
      } finally {
        await client.end();
      }
    },
    async journal(run = 1) {
      const rows = await play.query(
        'state',
        `SELECT type, data FROM m10bot.events WHERE stream = 'run:${run}' ORDER BY version`,
      );
      return rows.map((row) => ({
        type: String(row.type),
        data: typeof row.data === 'object' && row.data !== null ? { ...row.data } : {},
      }));
    },
  };
  return play;
}
