import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startServer } from '../../src/clients/process/server.js';
import { startEmbeddedPostgres } from '../../src/store/embedded.js';
import { createJournal, type Journal } from '../../src/store/journal.js';
import { migrate } from '../../src/store/migrate.js';
import { createPool } from '../../src/store/pool.js';
import { emptyDatabase, type StateDatabase, stateDatabase } from '../store/state.js';
import { compiled } from '../support/compiled.js';
import { stillRunning } from '../support/processes.js';
import { runCli } from './program.js';

let dist = '';
let folder = '';
const ends: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  dist = await compiled();
  folder = await mkdtemp(join(tmpdir(), 'm10-audit-'));
  await writeFile(
    join(folder, 'm10.yml'),
    `slack: { channel: C0INCIDENT, team: T0TEAM }
operators: [U0ALICE]
approvers: { dba: { users: [U0BOB] } }
runbook: none.yml
targets: { production: { database-url: 'postgresql://u:target-secret@127.0.0.1:9/x', directory: . } }
backups: { directory: . }
`,
  );
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const audit = (args: readonly string[], env: Readonly<Record<string, string>>, cwd = folder) =>
  runCli(dist, ['audit', ...args], {
    cwd,
    env: { SLACK_BOT_TOKEN: 'xoxb-1', SLACK_APP_TOKEN: 'xapp-1', ...env },
  });

async function append(journal: Journal, run: number, count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, n) => ({ type: 'A', data: { n } }));
  await journal.append([{ stream: `run:${run}`, expectedVersion: 0, events }]);
}

async function journalWithTwoRuns(): Promise<{
  database: StateDatabase;
  journal: Journal;
  env: Record<string, string>;
}> {
  const database = await stateDatabase();
  ends.push(database.drop);
  const journal = createJournal(database.pool);
  await append(journal, 1, 3);
  await append(journal, 2, 2);
  return { database, journal, env: { STATE_DATABASE_URL: database.url } };
}

describe('audit verify', () => {
  test('accepts the journal as it was written, and the heads that were noted of it', async () => {
    const { journal, env } = await journalWithTwoRuns();
    const { position, hash } = await journal.head();
    const { code, stdout, stderr } = await audit(['verify', '--head', `${position}:${hash}`], env);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^OK 5 events, and each follows/);
    expect(stdout).toContain(`head 5:${hash}`);
    expect(stdout).toContain('1 noted head found in the chain');
  });

  test('says where the journal was changed, with exit code 1', async () => {
    const { database, env } = await journalWithTwoRuns();
    await database.pool.query(`ALTER TABLE m10bot.events DISABLE TRIGGER ALL;
      UPDATE m10bot.events SET data = '{"n": 9}' WHERE position = 4`);
    const { code, stdout, stderr } = await audit(['verify'], env);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^The journal is broken at position 4: the hash does not match/);
  });

  test('finds a cut tail by a head that was noted elsewhere', async () => {
    const { env } = await journalWithTwoRuns();
    const { code, stderr } = await audit(['verify', '--head', `9:${'a'.repeat(64)}`], env);
    expect(code).toBe(1);
    expect(stderr).toMatch(/broken at position 6: the tail is cut: position 9 was noted before/);
    expect((await audit(['verify', '--head', '9:abc'], env)).code).toBe(2);
  });

  test('does not take a database without a journal for a good one, and makes nothing in it', async () => {
    const database = await emptyDatabase();
    ends.push(database.drop);
    const { code, stderr } = await audit(['verify'], { STATE_DATABASE_URL: database.url });
    expect([code, stderr]).toEqual([
      1,
      'Nothing to audit: the state database has no journal; the bot has not been started with it.\n',
    ]);
    const { rows } = await database.pool.query("SELECT FROM pg_namespace WHERE nspname = 'm10bot'");
    expect(rows).toEqual([]);
  });

  test('a database that cannot be reached is one clear line, and no secret', async () => {
    const url = 'postgresql://u:a-very-secret-word@127.0.0.1:9/x';
    const { code, stdout, stderr } = await audit(['verify'], { STATE_DATABASE_URL: url });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^m10bot has not done anything\. The state database cannot be used: .*ECONNREFUSED.*\n/,
    );
    expect(stderr).not.toContain('a-very-secret-word');
  });
});

const Line = z.object({ stream: z.string(), version: z.number(), hash: z.string(), previous: z.string() });
const linesOf = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => Line.parse(JSON.parse(line)));

describe('audit export', () => {
  test('prints the journal or one run as lines of JSON', async () => {
    const { env } = await journalWithTwoRuns();
    const all = linesOf((await audit(['export'], env)).stdout);
    expect(all.map(({ stream, version }) => `${stream}@${version}`)).toEqual([
      'run:1@1',
      'run:1@2',
      'run:1@3',
      'run:2@1',
      'run:2@2',
    ]);
    expect(all.slice(1).map((line) => line.previous)).toEqual(all.slice(0, -1).map((line) => line.hash));
    expect(linesOf((await audit(['export', '2'], env)).stdout).map((line) => line.stream)).toEqual([
      'run:2',
      'run:2',
    ]);
    const none = await audit(['export', '3'], env);
    expect([none.code, none.stdout, none.stderr]).toEqual([1, '', 'There is no run 3 in the journal.\n']);
  });

  test('waits for a slow reader, and ends well when the reader leaves', async () => {
    const { journal, env } = await journalWithTwoRuns();
    // Far more than a pipe holds.
    await append(journal, 3, 3_000);
    const whole = await audit(['export'], env);
    expect(linesOf(whole.stdout)).toHaveLength(3_005);
    const child = spawn(process.execPath, [join(dist, 'src', 'cli.js'), 'audit', 'export'], {
      cwd: folder,
      env: { PATH: process.env.PATH, SLACK_BOT_TOKEN: 'xoxb-1', SLACK_APP_TOKEN: 'xapp-1', ...env },
    });
    let errors = '';
    child.stderr.on('data', (data) => {
      errors += data;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const code = await new Promise((done) => child.once('close', done));
    expect([code, errors]).toEqual([0, '']);
  });
});

describe('an embedded state', () => {
  test('that no bot has made is not made now', async () => {
    const { code, stderr } = await audit(['verify'], {});
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Nothing to audit: there is no state in .*\.m10 yet/);
    expect(await stat(join(folder, '.m10')).catch(() => null)).toBeNull();
  });

  test('is read while a bot uses it, which is not disturbed; otherwise it is stopped again', async () => {
    const directory = join(folder, '.m10');
    await mkdir(directory, { mode: 0o711 });
    const options = {
      dataDirectory: join(directory, 'postgres'),
      logPath: join(directory, 'postgres.log'),
      start: startServer,
    };
    const server = await startEmbeddedPostgres({ ...options, durable: false });
    ends.push(server.stop);
    const pool = createPool({ url: server.url, max: 2, applicationName: 'm10bot-state', onError: () => {} });
    await migrate(pool, 'migrations');
    await append(createJournal(pool), 1, 2);
    const { code, stdout } = await audit(['verify'], {});
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^OK 2 events/)]);
    expect(await stillRunning([server.pid])).toEqual([server.pid]);
    expect((await pool.query('SELECT 1')).rowCount).toBe(1);
    await pool.end();
    await server.stop();
    // Now the command has to start it, and leaves nothing behind.
    expect((await audit(['verify'], {})).stdout).toMatch(/^OK 2 events/);
    expect(await stat(join(directory, 'postgres', 'cluster', 'postmaster.pid')).catch(() => null)).toBeNull();
  });
});
