import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { approversPresent } from '../../src/checks/approvers-present.js';
import { diskSpace } from '../../src/checks/disk-space.js';
import { httpMetrics } from '../../src/checks/http-metrics.js';
import { redisConfig } from '../../src/checks/redis-config.js';
import { isAtLeast, toolsPresent } from '../../src/checks/tools-present.js';
import { windowOpen } from '../../src/checks/window-open.js';
import type { MaintenanceWindow } from '../../src/config.js';
import type { NotAsked } from '../../src/runbook/command.js';
import { GatePolicy } from '../../src/runbook/definition.js';
import { startRedis } from '../../workspace/services/redis.js';
import { freshRedis } from '../support/database.js';
import { before, contextOf, createWorld, run, type World } from './world.js';

let world: World;
let databaseUrl: string;
const nowhere = 'postgresql://a:b@127.0.0.1:9/none';

beforeAll(async () => {
  world = await createWorld();
  databaseUrl = (await world.databaseAt(before)).url;
});
afterAll(() => world.drop());

describe('redis.config', () => {
  const check = (redisUrl: string | null, args: object = {}) =>
    run(redisConfig(), args, contextOf(world.target({ databaseUrl, redisUrl })));

  test('appendonly yes and noeviction pass', async () => {
    expect(await check((await freshRedis()).url)).toMatchObject({
      result: 'passed',
      summary: 'Redis of production has appendonly yes and maxmemory-policy noeviction',
    });
  });

  test('both wrong settings are told at once', async () => {
    const directory = join(world.directory, 'redis');
    const server = await startRedis({ directory, appendonly: false, maxmemoryPolicy: 'allkeys-lru' });
    try {
      const outcome = await check(server.url);
      expect(outcome.result).toBe('failed');
      expect(outcome.summary).toContain('appendonly is no, expected yes');
      expect(outcome.summary).toContain('maxmemory-policy is allkeys-lru, expected noeviction');
    } finally {
      await server.stop();
    }
  });

  test('no Redis in the configuration fails, one that does not answer is unknown', async () => {
    expect(await check(null)).toMatchObject({ result: 'failed' });
    expect(await check('redis://127.0.0.1:9/0')).toMatchObject({ result: 'unknown' });
  });
});

describe('http.metrics', () => {
  let server: Server;
  let page = '';
  let status = 200;
  let url = '';
  let requests = 0;

  beforeAll(async () => {
    server = createServer((_request, response) => {
      requests += 1;
      response.writeHead(status, { 'content-type': 'text/plain' }).end(page);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    url = `http://127.0.0.1:${address.port}/metrics`;
  });
  afterAll(() => new Promise((done) => server.close(done)));

  const args = {
    samples: [{ prefix: 'm10_lock_', min: 1 }, { prefix: 'm10_outbox_' }],
    within: '100ms',
    every: '20ms',
  };
  const check = (given: object = {}) =>
    run(
      httpMetrics(world.deps()),
      { ...args, ...given },
      contextOf(world.target({ databaseUrl, metricsUrl: url })),
    );

  test('HELP, TYPE and zeros are no values', async () => {
    page =
      '# HELP m10_lock_acquired_total Locks\n# TYPE m10_lock_acquired_total counter\n' +
      'm10_lock_acquired_total{lock_name="a"} 0\n# HELP m10_outbox_pending Events\n';
    const outcome = await check();
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain('lacks m10_lock_* of at least 1 and m10_outbox_*');
    expect(outcome.output).toContain('m10_lock_acquired_total{lock_name="a"} 0');
  });

  test('values that appear after a while pass', async () => {
    page = '';
    requests = 0;
    const running = check({ within: '20s' });
    const deadline = Date.now() + 15_000;
    while (requests < 2 && Date.now() < deadline) await new Promise((done) => setTimeout(done, 10));
    page = 'm10_lock_acquired_total{lock_name="a"} 3\nm10_outbox_pending 0\n';
    expect(await running).toMatchObject({ result: 'passed' });
  });

  test('an error page fails, no answer is unknown, no address fails', async () => {
    status = 503;
    const refused = await check();
    expect(refused).toMatchObject({ result: 'failed' });
    expect(refused.summary).toContain('answered 503');
    status = 200;
    expect(await check({ url: 'http://127.0.0.1:9/metrics' })).toMatchObject({ result: 'unknown' });
    const target = world.target({ databaseUrl, metricsUrl: null });
    const outcome = await run(httpMetrics(world.deps()), args, contextOf(target));
    expect(outcome.summary).toContain('set its metrics-url');
  });
});

describe('tools.present', () => {
  const check = (args: object, target = world.target({ databaseUrl })) =>
    run(toolsPresent(world.deps()), args, contextOf(target));

  test('programs and their versions', async () => {
    const outcome = await check({
      programs: { alembic: '1.8', python3: '3.9' },
      'as-new-as-server': ['pg_dump', 'pg_restore'],
    });
    expect(outcome).toMatchObject({ result: 'passed' });
    expect(outcome.summary).toMatch(/^alembic \d.+, python3 3.+, pg_dump 1.+ and pg_restore 1.+ are there$/);
  });

  test('what is missing and what is too old is told at once', async () => {
    const outcome = await check({ programs: { alembic: '99.1', 'no-such-program': '1' } });
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toMatch(/alembic is \S+, expected 99.1 or newer; no-such-program is not found/);
  });

  test('a server whose version cannot be read makes it unknown', async () => {
    const target = world.target({ databaseUrl: nowhere });
    expect(await check({ 'as-new-as-server': ['pg_dump'] }, target)).toMatchObject({ result: 'unknown' });
  });

  test('versions compare number by number', () => {
    expect(isAtLeast('1.10', '1.9')).toBe(true);
    expect(isAtLeast('1.8.1', '1.8')).toBe(true);
    expect(isAtLeast('1.8', '1.8.1')).toBe(false);
    expect(isAtLeast('16beta1', '16')).toBe(true);
    expect(isAtLeast('14.9', '15')).toBe(false);
  });
});

describe('disk.space', () => {
  test('enough room passes and makes the folder', async () => {
    const outcome = await run(diskSpace(world.deps()), {}, contextOf(world.target({ databaseUrl })));
    expect(outcome).toMatchObject({ result: 'passed' });
    expect(outcome.summary).toContain('needed for a database of');
  });

  test('too little room, and a folder that cannot be made, fail', async () => {
    const much = world.deps({ minFreeBytes: Number.MAX_SAFE_INTEGER });
    const context = contextOf(world.target({ databaseUrl }));
    expect((await run(diskSpace(much), {}, context)).summary).toContain('too little space');
    const file = join(world.directory, 'a-file');
    await writeFile(file, '');
    const directory = join(file, 'backups');
    const deps = world.deps();
    const config = { ...deps.config, backups: { directory, minFreeBytes: 0 } };
    const outcome = await run(diskSpace({ ...deps, config }), {}, context);
    expect(outcome).toMatchObject({ result: 'failed' });
    expect(outcome.summary).toContain(`${directory} does not exist and cannot be made`);
  });

  test('a database whose size cannot be read makes it unknown', async () => {
    const context = contextOf(world.target({ databaseUrl: nowhere }));
    expect(await run(diskSpace(world.deps()), {}, context)).toMatchObject({ result: 'unknown' });
  });
});

describe('approvers.present', () => {
  const check = (eligible: string[], approvals = 1, args: object = {}, missing: NotAsked[] = []) => {
    const target = world.target({ databaseUrl, gate: GatePolicy.parse({ approvals, from: 'dba' }) });
    const staging = { ...target, name: 'staging' };
    const roster = {
      eligible,
      ineligible: [{ user: 'UGUEST', why: 'is a guest' }],
      problems: ['the group @old does not exist'],
      notAsked: missing,
    };
    const deps = world.deps({ targets: [target, staging], roster });
    return run(approversPresent(deps), args, contextOf(target));
  };

  test('one besides the requester is enough', async () => {
    expect(await check(['UALICE', 'UBOB'])).toMatchObject({
      result: 'passed',
      summary: '<@UBOB> can approve',
    });
  });

  test('the requester does not count, and everybody who does not is named with the reason', async () => {
    const outcome = await check(['UALICE']);
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain('production needs 1 approver besides you, found 0');
    expect(outcome.output).toContain('does not count: <@UALICE>, who asks for the approval');
    expect(outcome.output).toContain('does not count: <@UGUEST>, is a guest');
    expect(outcome.output).toContain('does not count: the group @old does not exist');
  });

  test('too few because Slack gave no answer is neither a yes nor a no', async () => {
    const away: NotAsked = { kind: 'not_asked', why: 'the group @dba could not be read', retryAfterMs: 0 };
    const outcome = await check(['UALICE'], 1, {}, [away]);
    expect(outcome.result).toBe('unknown');
    expect(outcome.output).toContain('no answer: the group @dba could not be read');
    expect((await check(['UBOB'], 1, {}, [away])).result).toBe('passed');
  });

  test('a gate that needs two is not satisfied by one', async () => {
    expect((await check(['UBOB'], 2)).summary).toContain('needs 2 approvers besides you, found 1');
    expect((await check(['UBOB'], 1, { 'at-least': 2 })).result).toBe('failed');
  });
});

describe('window.open', () => {
  const night: MaintenanceWindow = {
    days: ['mon', 'tue'],
    from: '22:00',
    to: '02:00',
    timezone: 'Europe/Berlin',
  };
  const check = (now: string, windows: readonly MaintenanceWindow[] = [night], args: object = {}) =>
    run(
      windowOpen(world.deps({ windows, now: () => Date.parse(now) })),
      args,
      contextOf(world.target({ databaseUrl })),
    );

  test('without windows any time is fine, and it says so', async () => {
    expect(await check('2025-12-09T12:00:00Z', [])).toMatchObject({
      result: 'passed',
      summary: 'no maintenance window is configured, so any time is fine',
    });
  });

  test.each([
    ['Monday evening', '2025-12-08T21:30:00Z'],
    ['past midnight, still Tuesday’s', '2025-12-10T00:30:00Z'],
  ])('open: %s', async (_name, now) => {
    expect(await check(now)).toMatchObject({ result: 'passed' });
  });

  test.each([
    ['Monday at noon', '2025-12-08T11:00:00Z', 'Mon 2025-12-08 22:00 (Europe/Berlin)'],
    ['after the end', '2025-12-10T01:00:00Z', 'Mon 2025-12-15 22:00 (Europe/Berlin)'],
    ['Sunday night', '2025-12-07T22:30:00Z', 'Mon 2025-12-08 22:00 (Europe/Berlin)'],
    ['an hour early, by the clock of summer', '2025-07-07T19:30:00Z', 'Mon 2025-07-07 22:00 (Europe/Berlin)'],
  ])('closed: %s', async (_name, now, next) => {
    const outcome = await check(now);
    expect(outcome).toMatchObject({ result: 'failed' });
    expect(outcome.summary).toBe(`no maintenance window is open; the next one opens ${next}`);
  });

  test('summer time: 22:00 in Berlin is 20:00 UTC', async () => {
    expect(await check('2025-07-07T20:05:00Z')).toMatchObject({ result: 'passed' });
  });

  test('a window that closes too soon does not count', async () => {
    const outcome = await check('2025-12-10T00:50:00Z');
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain('the maintenance window closes in 10 min');
    expect(await check('2025-12-10T00:50:00Z', [night], { 'at-least': '5m' })).toMatchObject({
      result: 'passed',
    });
  });
});
