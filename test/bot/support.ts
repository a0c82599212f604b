import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { createSlackAccess } from '../../src/bot/access.js';
import { type BotApp, type BotDeps, createBotApp } from '../../src/bot/app.js';
import type { Log } from '../../src/bot/log.js';
import type { Config, SlackConfig } from '../../src/config.js';
import { fingerprintOf } from '../../src/runbook/fingerprint.js';
import { gateMessageKey } from '../../src/runbook/people.js';
import { openGate } from '../../src/runbook/state.js';
import { readUndelivered } from '../../src/store/held.js';
import { createInbox } from '../../src/store/inbox.js';
import { createJournal } from '../../src/store/journal.js';
import { migrate } from '../../src/store/migrate.js';
import { createPool } from '../../src/store/pool.js';
import { createPosted } from '../../src/store/posted.js';
import { createRuns, opened } from '../../src/store/runs.js';
import { nextRunNumber } from '../../src/store/sequences.js';
import { createPeople, type People } from '../../workspace/slack/client.js';
import { CHANNELS, GROUPS, TEAM, USERS } from '../../workspace/slack/people.js';
import {
  createSlackStandIn,
  type SlackStandIn,
  type SlackStandInOptions,
} from '../../workspace/slack/server.js';
import { runbook } from '../runbook/spec.js';
import { freshDatabase } from '../support/database.js';

export { CHANNELS, GROUPS, USERS } from '../../workspace/slack/people.js';

/** A log that keeps what is said, for tests to look at. */
export function keepLog(): Log & { readonly lines: { level: string; message: string; fields: object }[] } {
  const lines: { level: string; message: string; fields: object }[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, fields });
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A local Slack with its people, a state database of its own, and everything to make bots from. */
export async function createScene(name: string, options: SlackStandInOptions = {}) {
  const slack: SlackStandIn = await createSlackStandIn({
    rateLimits: 'off',
    retryScheduleMs: [0, 50, 50, 50],
    ...options,
  });
  const people: People = createPeople(slack.peopleUrl);
  const database = await freshDatabase(name);
  const pool: pg.Pool = createPool({
    url: database.url,
    max: 10,
    applicationName: 'm10bot-test',
    onError: () => {},
  });
  await migrate(pool, 'migrations');
  const journal = createJournal(pool);
  const posted = createPosted(pool);
  const inbox = createInbox(pool, { firstDelayMs: 50 });
  const runs = createRuns({ journal, now: Date.now });
  const log = keepLog();
  let queries = 0;
  pool.on('acquire', () => {
    queries += 1;
  });
  const bots: BotApp[] = [];

  const slackConfig = (delivery: SlackConfig['delivery']): SlackConfig => ({
    botToken: slack.tokens.bot,
    apiUrl: slack.url,
    delivery,
    channel: CHANNELS.incident,
    team: TEAM.id,
  });
  const target = (targetName: string): Config['targets'][string] => ({
    name: targetName,
    databaseUrl: '',
    redisUrl: null,
    directory: '',
    env: {},
    metricsUrl: null,
    gate: { approvals: 1, expires: 1 },
  });
  const approvers: Config['approvers'] = {
    team: { users: [USERS.bob, USERS.alice, USERS.gina, USERS.rob, USERS.dora, USERS.stan], usergroups: [] },
    dba: { users: [], usergroups: [GROUPS.dba] },
  };

  function accessFor(
    delivery: SlackConfig['delivery'] = { kind: 'socket', appToken: slack.tokens.app },
    apiUrl = slack.url,
  ) {
    return createSlackAccess({
      config: { slack: { ...slackConfig(delivery), apiUrl }, approvers },
      posted,
      log,
      now: Date.now,
    });
  }

  /** A bot that is not started. */
  function makeBot(
    mode: 'socket' | 'http' = 'socket',
    changes: Partial<BotDeps> = {},
    operators: readonly string[] = [USERS.alice],
  ): BotApp {
    const delivery: SlackConfig['delivery'] =
      mode === 'socket'
        ? { kind: 'socket', appToken: slack.tokens.app }
        : { kind: 'http', signingSecret: slack.signingSecret, port: 0 };
    const bot = createBotApp({
      config: {
        slack: slackConfig(delivery),
        operators: [...operators],
        targets: { staging: target('staging'), production: target('production') },
      },
      slack: accessFor(delivery),
      inbox,
      posted,
      journal,
      runs,
      undelivered: () => readUndelivered(pool),
      journalDiffers: async () => null,
      nextRunNumber: () => nextRunNumber(pool),
      loadRunbook: async () => ({ runbook, digest: 'runbook-digest' }),
      changing: ['change'],
      planOf: async () => ({ steps: [], targets: [], sql: [], warnings: [] }),
      targetStates: async () => [
        { target: 'staging', summary: 'at a', revision: 'a', reachable: true },
        { target: 'production', summary: 'at a', revision: 'a', reachable: true },
      ],
      owner: randomUUID(),
      inboxWork: { everyMs: 100, leaseMs: 5_000 },
      log,
      now: Date.now,
      ...changes,
    });
    bots.push(bot);
    return bot;
  }

  /** A bot that Slack reaches. */
  async function startBot(
    mode: 'socket' | 'http' = 'socket',
    changes: Partial<BotDeps> = {},
    operators: readonly string[] = [USERS.alice],
  ): Promise<BotApp> {
    const bot = makeBot(mode, changes, operators);
    await bot.start();
    if (mode === 'http')
      await people.setMode({ mode: { http: `http://127.0.0.1:${bot.port()}/slack/events` } });
    await poll(async () => (bot.connected() && bot.botUserId() !== null ? true : undefined));
    return bot;
  }

  async function state(run: number) {
    return opened((await runs.load(run)).state) ?? fail(`there is no run ${run}`);
  }

  /** Opens the request that waits to be prepared, as the runner does, and posts its message, as the publisher does. */
  async function openRequest(
    run: number,
    from: readonly string[] = [],
  ): Promise<{ gate: number; ts: string }> {
    const gate = openGate(await state(run)) ?? fail('no request waits');
    await runs.execute(run, {
      type: 'OpenGate',
      gate: gate.id,
      needs: 1,
      from,
      eligible: [USERS.bob],
      expiresMs: 60_000,
      fingerprint: fingerprintOf({ plan: 'x' }, () => 'digest'),
      plan: { steps: [], targets: [], sql: [], warnings: [] },
    });
    return { gate: gate.id, ts: await postRequest(run, gate.id) };
  }

  async function postRequest(run: number, gate: number): Promise<string> {
    const { background } = accessFor().clients;
    const { ts } = await background.chat.postMessage({
      channel: CHANNELS.incident,
      text: `Run ${run}, request ${gate}`,
    });
    const key = gateMessageKey(run, gate);
    await posted.put({ key, channel: CHANNELS.incident, ts: ts ?? '', hash: '', position: 1 });
    return ts ?? fail('no ts');
  }

  const say = (user: string, text: string, channel: string = CHANNELS.incident) =>
    people.say({ user, channel, text });

  /** Says a command and waits for the answer that only its speaker sees. */
  async function ask(user: string, text: string, channel?: string) {
    const { trigger_id } = await say(user, text, channel);
    return people.waitForEphemeral(user, (e) => e.trigger_id === trigger_id);
  }

  async function events(stream: string) {
    return (await journal.read(stream)).map((e) => ({ type: e.type, ...(e.data as object) }));
  }

  return {
    slack,
    people,
    pool,
    url: database.url,
    journal,
    posted,
    inbox,
    runs,
    log,
    approvers,
    accessFor,
    makeBot,
    startBot,
    state,
    openRequest,
    postRequest,
    say,
    ask,
    events,
    /** How often the state database was asked so far. */
    queries: () => queries,
    async close() {
      for (const bot of bots) await bot.stop();
      await slack.close();
      await pool.end();
      await database.drop();
    },
  };
}
export type Scene = Awaited<ReturnType<typeof createScene>>;

function fail(message: string): never {
  throw new Error(message);
}

/** Looks again until it finds something. */
export async function poll<T>(look: () => Promise<T | undefined>, timeoutMs = 15_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${look.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
