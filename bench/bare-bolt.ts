// The smallest app that keeps what it was told: Bolt over HTTP, PostgreSQL, Redis, a logger, one row a command.
// It is what the bot's throughput, start and memory are held against.
import { App, HTTPReceiver, LogLevel } from '@slack/bolt';
import { Redis } from 'ioredis';
import pg from 'pg';
import { pino } from 'pino';

const {
  STATE_DATABASE_URL = '',
  REDIS_URL,
  SLACK_SIGNING_SECRET = '',
  PORT = '0',
  SLACK_API_URL,
} = process.env;
const log = pino();
const pool = new pg.Pool({ connectionString: STATE_DATABASE_URL, max: 16 });
const redis = REDIS_URL === undefined ? null : new Redis(REDIS_URL, { lazyConnect: true });
const receiver = new HTTPReceiver({ signingSecret: SLACK_SIGNING_SECRET, logLevel: LogLevel.ERROR });
const app = new App({
  receiver,
  authorize: async () => ({ botToken: 'xoxb-bare', botId: 'B1', botUserId: 'U1' }),
  ...(SLACK_API_URL === undefined ? {} : { clientOptions: { slackApiUrl: SLACK_API_URL } }),
  logLevel: LogLevel.ERROR,
});
app.command('/m10', async ({ body, ack }) => {
  await pool.query('INSERT INTO bare_rows (key, body) VALUES ($1, $2)', [
    body.trigger_id,
    JSON.stringify(body),
  ]);
  await ack({ response_type: 'in_channel', text: 'Run 1 waits for the next command.' });
});
await pool.query(
  'CREATE TABLE IF NOT EXISTS bare_rows (id bigserial PRIMARY KEY, key text UNIQUE, body jsonb NOT NULL, at timestamptz DEFAULT now())',
);
await redis?.connect();
await app.start(Number(PORT));
log.info('m10bot is ready');
process.on('SIGTERM', () => {
  redis?.disconnect();
  void app.stop().then(() => pool.end());
});
