import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { compiled } from '../support/compiled.js';
import { runCli } from './program.js';

let dist = '';
let folder = '';
beforeAll(async () => {
  dist = await compiled();
  folder = await mkdtemp(join(tmpdir(), 'm10-away-'));
  await writeFile(
    join(folder, 'm10.yml'),
    `slack: { channel: C0INCIDENT, team: T0TEAM }
operators: [U0ALICE]
approvers: { dba: { users: [U0BOB] } }
runbook: runbook.yml
targets: { db: { database-url: "postgresql://u@127.0.0.1:9/x", directory: . } }
backups: { directory: . }
`,
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const wrongPassword = () => {
  const url = new URL(inject('postgresAdminUrl'));
  url.password = 'wrong-and-secret';
  return url.href;
};
const noDatabase = () => {
  const url = new URL(inject('postgresAdminUrl'));
  url.pathname = '/no_such_state';
  return url.href;
};

test.each([
  ['away', () => 'postgresql://u:state-pass@127.0.0.1:9/x', /ECONNREFUSED|refused/],
  ['not taking the password', wrongPassword, /password/],
  ['without its database', noDatabase, /no_such_state/],
])('a state database that is %s is told in words, without a stack', async (_, url, why) => {
  const env = {
    M10_CONFIG: join(folder, 'm10.yml'),
    SLACK_BOT_TOKEN: 'xoxb-1',
    SLACK_APP_TOKEN: 'xapp-1',
    STATE_DATABASE_URL: url(),
    METRICS_PORT: '0',
  };
  for (const args of [['start'], ['audit', 'verify'], ['audit', 'export']]) {
    const { code, stderr } = await runCli(dist, args, { env, cwd: folder });
    expect([args, code]).toEqual([args, 1]);
    expect(stderr).toMatch(/^m10bot has not done anything\. The state database cannot be used: /);
    expect(stderr).toMatch(why);
    expect(stderr).toContain('m10bot doctor');
    expect(stderr).not.toMatch(/^ {4}at |state-pass|wrong-and-secret/m);
  }
});

test('nor has a state directory that cannot be made one', async () => {
  await writeFile(join(folder, 'file'), '');
  const config = join(folder, 'blocked.yml');
  const text = `slack: { channel: C0INCIDENT, team: T0TEAM }
operators: [U0ALICE]
approvers: { dba: { users: [U0BOB] } }
runbook: runbook.yml
targets: { db: { database-url: "postgresql://u@127.0.0.1:9/x", directory: . } }
backups: { directory: . }
state: { directory: file/below }
`;
  await writeFile(config, text);
  const env = { M10_CONFIG: config, SLACK_BOT_TOKEN: 'xoxb-1', SLACK_APP_TOKEN: 'xapp-1', METRICS_PORT: '0' };
  const { code, stderr } = await runCli(dist, ['start'], { env, cwd: folder });
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /- m10\.yml state\.directory: expected a directory that files can be written to, found .*file\/below/,
  );
  expect(stderr).not.toMatch(/^ {4}at /m);
});
