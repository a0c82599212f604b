import { WebClient } from '@slack/web-api';
import { createAsk } from '../../src/bot/asking.js';
import { publisherCursors } from '../../src/bot/publish/reader.js';
import { createPublisher, type Publisher, type PublisherDeps } from '../../src/bot/publish.js';
import { createReactionReader } from '../../src/bot/reaction-reader.js';
import { createSlack } from '../../src/clients/slack.js';
import { encodeEvent, type RunEvent } from '../../src/runbook/events.js';
import { createCursors } from '../../src/store/cursors.js';
import { BEHIND, createHeld } from '../../src/store/held.js';
import { createJournal } from '../../src/store/journal.js';
import { createLeases } from '../../src/store/leases.js';
import { migrate } from '../../src/store/migrate.js';
import { createPool } from '../../src/store/pool.js';
import { createPosted } from '../../src/store/posted.js';
import { createPeople } from '../../workspace/slack/client.js';
import { APP, CHANNELS } from '../../workspace/slack/people.js';
import { createSlackStandIn, type SlackStandInOptions } from '../../workspace/slack/server.js';
import { until } from '../store/poll.js';
import { freshDatabase } from '../support/database.js';

/** A quick publisher: the same code, without the waiting that Slack's own limits ask for. */
const quick = {
  posts: { burst: 1_000, everyMs: 1 },
  updates: { burst: 1_000, everyMs: 1 },
  cardEvery: 20,
  backoff: 10,
  longestBackoff: 50,
  poll: 200,
};

/** A journal of its own, a Slack of its own, and publishers between the two. */
export async function publishing(options: SlackStandInOptions = {}) {
  const database = await freshDatabase('publish');
  const pool = createPool({ url: database.url, max: 10, applicationName: 'm10bot-test', onError: () => {} });
  await migrate(pool, 'migrations');
  const stand = await createSlackStandIn({ rateLimits: 'off', ...options });
  const people = createPeople(stand.peopleUrl);
  const journal = createJournal(pool);
  const posted = createPosted(pool);
  const cursors = createCursors(pool);
  const held = createHeld(pool);
  const channel = CHANNELS.incident;
  const slack = createSlack({ token: stand.tokens.bot, apiUrl: stand.url, timeoutMs: 2_000 });
  const publishers: Publisher[] = [];
  const logged: { level: string; message: string; fields: object }[] = [];
  const log = (level: string) => (fields: object, message: string) => {
    logged.push({ level, message, fields });
  };
  let replica = 0;

  function start(change: Partial<PublisherDeps> = {}): Publisher {
    replica += 1;
    const publisher = createPublisher({
      journal,
      posted,
      cursors,
      held,
      leases: createLeases(pool),
      slack,
      incidentChannel: channel,
      redact: (text) => text.replaceAll('hunter2', '[redacted]'),
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
      owner: `replica-${replica}`,
      readOutput: async (path) => `whole output of ${path}, password hunter2`,
      ...change,
      timing: { ...quick, ...change.timing },
    });
    publishers.push(publisher);
    publisher.start();
    return publisher;
  }

  async function append(stream: string, ...events: RunEvent[]): Promise<void> {
    const expectedVersion = await journal.version(stream);
    await journal.append([{ stream, expectedVersion, events: events.map(encodeEvent) }]);
    for (const publisher of publishers) publisher.wake();
  }

  return {
    pool,
    slack,
    /** What stands on a request, as the bot reads it before it counts. */
    read: createReactionReader({
      ask: createAsk(),
      client: new WebClient(stand.tokens.bot, { slackApiUrl: stand.url }),
      posted,
      botUserId: () => APP.userId,
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
      now: Date.now,
    }),
    people,
    journal,
    posted,
    cursors,
    held,
    channel,
    logged,
    start,
    append,
    wake() {
      for (const publisher of publishers) publisher.wake();
    },
    run: (...events: RunEvent[]) =>
      append('run:7', ...events.map((e) => (e.type === 'RunOpened' ? { ...e, channel } : e))),
    /** Waits until nothing is held back for any channel. */
    nothingHeld: () => until('nothing is held back', async () => (await held.list()).length === 0),
    /** Waits until every lane has handled the whole journal. */
    async caughtUp(): Promise<void> {
      await until('everything is published', async () => {
        const { position } = await journal.head();
        const all = await Promise.all(Object.values(publisherCursors).map((name) => cursors.get(name)));
        if (all.some((at) => at !== position)) return false;
        // What stands behind another lane follows by itself, unless that one waits for the channel.
        const rows = await held.list();
        const closed = new Set(rows.filter((row) => row.code !== BEHIND).map((row) => row.channel));
        return rows.every((row) => closed.has(row.channel));
      });
    },
    async messages() {
      return (await people.read({ channel })).messages;
    },
    /** Ends every publisher and starts another one. */
    async restart() {
      for (const publisher of publishers.splice(0)) await publisher.close();
      start();
    },
    /** Calls that Slack took, by method. */
    async calls(method: string) {
      return (await people.calls({})).calls.filter((call) => call.method === method);
    },
    async close() {
      for (const publisher of publishers) await publisher.close();
      await stand.close();
      await pool.end();
      await database.drop();
    },
  };
}

export type Publishing = Awaited<ReturnType<typeof publishing>>;
