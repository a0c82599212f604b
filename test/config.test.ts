import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../src/config.js';

const file = `
slack: { channel: C0INCIDENT, team: T0TEAM }
operators: [U0ALICE]
approvers:
  dba: { users: [U0BOB], usergroups: [S0DBA] }
runbook: runbooks/022.yml
targets:
  staging:
    database-url: \${STAGING_URL}
    directory: backend
  production:
    database-url: \${PRODUCTION_URL}
    redis-url: redis://:hush-hush@localhost:6379/1
    directory: /srv/backend
    env: { PATH: /usr/bin, API_TOKEN: very-secret-token }
    gate: { approvals: 2, from: dba, expires: 10m }
backups: { directory: backups }
`;
const env = {
  SLACK_BOT_TOKEN: 'xoxb-1',
  SLACK_APP_TOKEN: 'xapp-1',
  STAGING_URL: 'postgresql://u:staging-pass@localhost/staging',
  PRODUCTION_URL: 'postgresql://u:pr%40d-pass@localhost/production',
};

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'm10-config-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function load(text: string, change: Record<string, string | undefined> = {}) {
  const path = join(directory, 'm10.yml');
  writeFileSync(path, text);
  return loadConfig({ ...env, M10_CONFIG: path, ...change });
}

function problems(text: string, change: Record<string, string | undefined> = {}): readonly string[] {
  try {
    load(text, change);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('parameters of a URL that are not understood are mistakes, with their place and all at once', () => {
  const found = problems(
    file
      .replace('hush-hush@localhost:6379/1', 'hush-hush@localhost:6379/1?db=2')
      .replace('redis-url', 'redis-ca: ca.pem\n    redis-url'),
    {
      STAGING_URL: 'postgresql://u:staging-pass@localhost/staging?ssl_mode=require&schema=app',
      STATE_DATABASE_URL: 'postgresql://u:state-pass@localhost/state?sslmode=verify',
    },
  );
  expect(found).toEqual([
    expect.stringMatching(/STATE_DATABASE_URL: .*sslmode is "verify", expected disable/),
    expect.stringMatching(
      /m10\.yml:9:\d+ targets\.staging\.database-url: .*"ssl_mode" is none .*mean sslmode\?; .*"schema"/,
    ),
    expect.stringMatching(/m10\.yml:14:\d+ targets\.production\.redis-url: .*"db" is not taken/),
  ]);
  expect(found.join()).not.toMatch(/staging-pass|state-pass|hush-hush/);
});

test('the password of a URL without a host is a secret as well', () => {
  const config = load(file, { STAGING_URL: 'postgresql://u:s0cket-pass@/staging?host=/run/postgresql' });
  expect(config.secrets).toContain('s0cket-pass');
});

test('a good configuration is read whole, relative to its file, and frozen', () => {
  const config = load(file);
  expect(config.targets.production).toMatchObject({
    name: 'production',
    gate: { approvals: 2, from: 'dba', expires: 600_000 },
    directory: '/srv/backend',
  });
  expect(config.targets.staging).toMatchObject({
    directory: join(directory, 'backend'),
    redisUrl: null,
    gate: { approvals: 1 },
  });
  expect(config.slack).toMatchObject({
    apiUrl: 'https://slack.com/api/',
    delivery: { kind: 'socket', appToken: 'xapp-1' },
  });
  expect(config.state).toEqual({ databaseUrl: null, directory: join(directory, '.m10'), stopWaitMs: 20_000 });
  expect(Object.isFrozen(config.targets.production?.env)).toBe(true);
});

test('every secret is known to the redactor, in clear and as written', () => {
  const { secrets } = load(file);
  for (const secret of [
    'staging-pass',
    'pr%40d-pass',
    'pr@d-pass',
    'hush-hush',
    'xoxb-1',
    'xapp-1',
    'very-secret-token',
  ])
    expect(secrets).toContain(secret);
});

test('HTTP needs the signing secret and a port', () => {
  const http = { SLACK_APP_TOKEN: undefined, SLACK_SIGNING_SECRET: 's', PORT: '3000' };
  expect(load(file, http).slack.delivery).toEqual({ kind: 'http', signingSecret: 's', port: 3000 });
  expect(problems(file, { ...http, PORT: 'x' })).toEqual([expect.stringMatching(/PORT: expected a port/)]);
  expect(problems(file, { SLACK_APP_TOKEN: undefined })).toEqual([expect.stringMatching(/found neither/)]);
});

test('HTTP is opened on the address of HOST, and on every one without it', () => {
  const http = { SLACK_APP_TOKEN: undefined, SLACK_SIGNING_SECRET: 's', PORT: '3000' };
  expect(load(file, { ...http, HOST: '127.0.0.1' }).slack.delivery).toMatchObject({ host: '127.0.0.1' });
  expect(load(file, { ...http, HOST: '::1' }).slack.delivery).toMatchObject({ host: '::1' });
  expect(load(file, { ...http, HOST: '' }).slack.delivery).not.toHaveProperty('host');
  expect(problems(file, { ...http, HOST: 'http://a b' })).toEqual([
    expect.stringMatching(/HOST: expected an address/),
  ]);
});

describe('a file that everyone can read', () => {
  const warnings = (text: string, mode: number) => {
    const path = join(directory, 'm10.yml');
    writeFileSync(path, text);
    chmodSync(path, mode);
    return loadConfig({ ...env, M10_CONFIG: path }).warnings;
  };
  const open = file
    .replace('redis://:hush-hush@localhost:6379/1', `"\${REDIS}"`)
    .replace('very-secret-token', `"\${T}"`);

  test('is warned of when passwords stand in it', () => {
    expect(warnings(file, 0o644)).toEqual([
      expect.stringMatching(/m10\.yml holds passwords.*0644.*chmod 640/),
    ]);
    expect(warnings(file, 0o640)).toEqual([]);
    expect(warnings(file, 0o600)).toEqual([]);
  });

  test('is fine when they come from the environment', () => {
    const more = { REDIS: 'redis://:hush-hush@localhost:6379/1', T: 'very-secret-token' };
    Object.assign(env, more);
    try {
      expect(warnings(open, 0o644)).toEqual([]);
    } finally {
      Reflect.deleteProperty(env, 'REDIS');
      Reflect.deleteProperty(env, 'T');
    }
  });
});

describe('secrets', () => {
  test('are found in every URL, as parameters too, and under every usual name', () => {
    const more =
      'env: { PATH: /usr/bin, BROKER: "amqp://u:br0ker-pw@h/", DB_PASS: db-pass-1, PWD: /srv, BAD: "redis://:50%-off@h" }';
    const { secrets } = load(file.replace(/env: \{.*\}/, more), {
      STAGING_URL: 'postgresql://localhost/staging?user=u&password=in%2Dquery',
    });
    expect(secrets).toEqual(
      expect.arrayContaining(['br0ker-pw', 'db-pass-1', 'in-query', 'in%2Dquery', '50%-off']),
    );
    expect(secrets).not.toContain('/srv');
  });
});

describe('mistakes', () => {
  test('come all at once, each with line, key, what was found and what is expected', () => {
    const broken = file
      .replace('C0INCIDENT', 'incidents')
      .replace('[U0ALICE]', '[alice]')
      .replace('expires: 10m', 'expires: soon')
      .replace('backups:', 'backup:');
    const found = problems(broken, { SLACK_BOT_TOKEN: undefined, STAGING_URL: undefined });
    expect(found).toEqual([
      expect.stringMatching(/SLACK_BOT_TOKEN: expected the bot token.*found nothing/),
      expect.stringMatching(
        /m10\.yml:9:\d+ targets\.staging\.database-url: expected the environment variable STAGING_URL/,
      ),
      expect.stringMatching(/m10\.yml:2:\d+ slack\.channel: expected the id of a channel.*found "incidents"/),
      expect.stringMatching(/m10\.yml:3:\d+ operators\.0: expected a Slack user id.*found "alice"/),
      expect.stringMatching(
        /m10\.yml:16:\d+ targets\.production\.gate\.expires: expected a duration.*found "soon"/,
      ),
      expect.stringMatching(/backups.*found nothing/),
      expect.stringMatching(/m10\.yml:17:\d+ backup: this key is not known/),
    ]);
  });
  test.each([
    ['runbook', 'runbook: runbooks/022.yml', 'runbook:', /runbook: expected a text, found null/],
    [
      'a target’s folder',
      'directory: backend',
      'directory: ~',
      /staging\.directory: expected a text, found null/,
    ],
    ['all operators', '[U0ALICE]', '', /operators: .*, found null/],
    [
      'a database',
      `database-url: \${STAGING_URL}`,
      'database-url:',
      /database-url: expected a URL.*found null/,
    ],
    [
      'every target',
      file.slice(file.indexOf('targets:'), file.indexOf('backups:')),
      'targets:\n',
      /targets: .*found null/,
    ],
  ])('%s left empty is one, and not nothing at all', (_, from, to, told) => {
    expect(problems(file.replace(from, to))).toEqual([expect.stringMatching(told)]);
  });
  test('an empty file, and an error without any mistake, cannot be', () => {
    expect(problems('').length).toBeGreaterThan(0);
    expect(problems('~').length).toBeGreaterThan(0);
  });
  test('of a variable that is missing within a choice are told once', () => {
    const handlers = `jobs: { target: staging, outbox-processor: { handlers: { "a:": { url: "\${NO_URL}" }, b: { argv: ["\${NO_PROGRAM}"] } } } }`;
    expect(problems(`${file}${handlers}\n`)).toEqual([
      expect.stringMatching(/handlers\.a:\.url: expected the environment variable NO_URL, found nothing/),
      expect.stringMatching(/handlers\.b\.argv\.0: expected the environment variable NO_PROGRAM/),
    ]);
  });
  test.each([
    ['expires: 10m', 'expires: 30', 'targets.production.gate.expires', '30'],
    ['expires: 10m', 'expires: "30"', 'targets.production.gate.expires', '"30"'],
    [
      'backups:',
      'jobs: { target: staging, matview-refresh: { timeout: 90 } }\nbackups:',
      'jobs.matview-refresh.timeout',
      '90',
    ],
    [
      'backups:',
      'jobs: { target: staging, outbox-processor: { backoff: { first: 30 } } }\nbackups:',
      'jobs.outbox-processor.backoff.first',
      '30',
    ],
    [
      'backups:',
      'jobs: { target: staging, retention-cleanup: { budget: 600 } }\nbackups:',
      'jobs.retention-cleanup.budget',
      '600',
    ],
  ])('a duration without its unit is one: %s → %s', (from, to, key, found) => {
    expect(problems(file.replace(from, to))).toEqual([
      expect.stringMatching(
        new RegExp(
          `m10\\.yml:\\d+:\\d+ ${key}: expected a duration with its unit, such as 30s, 15m or 2h, found ${found}$`,
        ),
      ),
    ]);
  });
  test('and so is a size or an age without one', () => {
    const found = problems(
      `${file.replace('directory: backups', 'directory: backups, min-free: 20')}jobs: { target: staging, retention-cleanup: { outbox: 7 } }\n`,
    );
    expect(found).toEqual([
      expect.stringMatching(
        /backups\.min-free: expected a size with its unit, such as 500MiB or 2GiB, found 20/,
      ),
      expect.stringMatching(
        /retention-cleanup\.outbox: expected an age with its unit, such as .*30d, found 7/,
      ),
    ]);
  });
  test('of shape do not hide those of what belongs together', () => {
    const found = problems(
      `${file.replace('[U0ALICE]', '[alice]').replace('from: dba', 'from: ops')}jobs: { target: prod }\n`,
      { PRODUCTION_URL: env.STAGING_URL },
    );
    expect(found).toEqual([
      expect.stringMatching(/operators\.0: expected a Slack user id/),
      expect.stringMatching(/production\.database-url: expected a database of its own/),
      expect.stringMatching(/gate\.from: expected an approver list \(dba\), found "ops"/),
      expect.stringMatching(/jobs\.target: expected a target \(staging, production\), found "prod"/),
    ]);
  });
  test.each([
    ['METRICS_PORT', {}],
    ['PORT', { SLACK_APP_TOKEN: undefined, SLACK_SIGNING_SECRET: 's' }],
  ])('an empty %s does not mean any port', (name, more) => {
    expect(problems(file, { ...more, [name]: '' })).toEqual([
      expect.stringMatching(new RegExp(`${name}: expected a port number`)),
    ]);
  });
  test('an alias without its anchor has file and line', () => {
    expect(problems(file.replace('directory: backend', 'directory: *backend'))).toEqual([
      expect.stringMatching(/m10\.yml:10:16: expected an anchor &backend before this alias/),
    ]);
  });
  test('never repeat a value that may hold a password', () => {
    const found = problems(file, { PRODUCTION_URL: 'mysql://u:hidden@h/d', STATE_DATABASE_URL: 'hidden' });
    expect(found).toHaveLength(2);
    expect(found.join()).not.toContain('hidden');
  });
  test('a wait that no timer can wait for is one', () => {
    expect(problems(file.replace('expires: 10m', 'expires: 30d'))).toEqual([
      expect.stringMatching(/gate\.expires: expected at most 14d, found "30d"/),
    ]);
  });
  test('two targets may not be one database', () => {
    const found = problems(file, { PRODUCTION_URL: env.STAGING_URL });
    expect(found).toEqual([
      expect.stringMatching(/production\.database-url: expected a database of its own/),
    ]);
  });
  test('an approver list must exist', () => {
    expect(problems(file.replace('from: dba', 'from: ops'))).toEqual([
      expect.stringMatching(/gate\.from: expected an approver list \(dba\), found "ops"/),
    ]);
  });
  test('a file that is missing or not YAML is said so', () => {
    expect(() => loadConfig({ ...env, M10_CONFIG: join(directory, 'none.yml') })).toThrow(/found none/);
    expect(problems('slack: [')).toEqual([expect.stringMatching(/m10\.yml:1:\d+/)]);
    expect(problems(`${file}\noperators: [U0BOB]`)).toEqual([
      expect.stringMatching(/m10\.yml:\d+:\d+: Map keys must be unique/),
    ]);
  });
});
