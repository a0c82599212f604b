import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CHANNELS, USERS } from '../../workspace/slack/people.js';
import { changedConfig, openPlace, type Place } from '../doctor/place.js';
import { promtool } from '../metrics/samples.js';
import { until } from '../store/poll.js';
import { compiled } from '../support/compiled.js';
import { runCli } from './program.js';

let dist = '';
let place: Place;
beforeAll(async () => {
  dist = await compiled();
  place = await openPlace('cli_start', dist);
});
afterAll(() => place?.close());

test.each(['SIGTERM', 'SIGINT'] as const)('the bot ends in good order at %s', async (signal) => {
  const bot = await place.trial.startBot();
  await bot.end(signal);
  expect(await bot.exited).toBe(0);
  expect(await bot.log()).toMatch(
    new RegExp(`"signal":"${signal}","msg":"ending"[^]*"msg":"m10bot has ended"`),
  );
});

test('a running bot is alive and ready, counts what it posts, and has its port to itself', async () => {
  const { trial } = place;
  const bot = await trial.startBot();
  const port = Number(/"metrics":(\d+)/.exec(await bot.log())?.[1]);
  const read = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  expect(await read('/healthz')).toBe('alive\n');
  await until('the bot is ready', async () => !(await read('/readyz')).includes('"ready":false'));
  await trial.people.say({ user: USERS.alice, channel: CHANNELS.incident, text: '/m10 preflight' });
  await until('its post is counted', async () =>
    /^m10bot_slack_posts_total\{result="ok"\} [1-9]/m.test(await read('/metrics')),
  );
  const text = await read('/metrics');
  expect(text).toMatch(/^m10bot_target_up\{target="production",source="database"\} 1$/m);
  expect(text).toMatch(/^m10bot_state_up 1$/m);
  // The trial's target stands before the hardening.
  expect(text).not.toMatch(/^m10_outbox_pending/m);
  expect(promtool(['check', 'metrics'], text)).toEqual({ code: 0, output: '' });

  const second = await runCli(dist, ['start'], { env: { ...trial.botEnv, METRICS_PORT: String(port) } });
  expect(second.code).toBe(1);
  expect(second.stderr).toContain(`environment METRICS_PORT: port ${port} of 127.0.0.1 is taken`);
  await bot.end('SIGTERM');
});

test('a second signal ends it at once', async () => {
  const bot = await place.trial.startBot();
  process.kill(bot.pid, 'SIGTERM');
  process.kill(bot.pid, 'SIGINT');
  // The kernel may hand over either one first; 128 and the number of the second.
  expect([130, 143]).toContain(await bot.exited);
});

test('a runbook with mistakes is a list of problems, and nothing starts', async () => {
  const config = await changedConfig(place, (file) => {
    file.runbook = 'none.yml';
  });
  const env = { ...place.trial.botEnv, M10_CONFIG: config };
  const { code, stderr } = await runCli(dist, ['start'], { env });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^m10bot has not done anything\. .*none\.yml has 1 problem\(s\):\n- /);
});

test('the doctor ends with 0 when all is fine and with 1 when not, and shows no secret either way', async () => {
  const well = await runCli(dist, ['doctor'], { env: place.trial.botEnv });
  expect([well.code, well.stderr]).toEqual([0, '']);
  // The role of the tests owns everything on its server.
  expect(well.stdout.match(/^! .*/gm)).toEqual([expect.stringContaining('owns it and could rewrite it')]);
  expect(well.stdout).toMatch(/\n\d+ fine, 1 warning, 0 problems\. The bot can start; .*\n$/);
  const config = await changedConfig(place, (file) => {
    file.targets.staging['database-url'] = 'postgresql://someone:wrong-and-secret@127.0.0.1:9/x';
    file.operators.push('U0NOBODY1');
    file.backups.directory = 'nowhere';
  });
  const ill = await runCli(dist, ['doctor'], { env: { ...place.trial.botEnv, M10_CONFIG: config } });
  expect(ill.code).toBe(1);
  expect(ill.stdout.match(/^✗ .*/gm)).toHaveLength(3);
  const said = well.stdout + ill.stdout;
  const { SLACK_BOT_TOKEN = '', SLACK_APP_TOKEN = '', STATE_DATABASE_URL = '' } = place.trial.botEnv;
  const passwords = [STATE_DATABASE_URL, place.redis.staging, place.redis.production].map(
    (url) => new URL(url).password,
  );
  for (const secret of [SLACK_BOT_TOKEN, SLACK_APP_TOKEN, ...passwords, 'wrong-and-secret']) {
    expect(secret.length).toBeGreaterThan(4);
    expect(said).not.toContain(secret);
  }
  expect(await readFile(config, 'utf8')).toContain('wrong-and-secret');
});
