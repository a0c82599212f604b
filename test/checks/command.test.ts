import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandChange } from '../../src/actions/command-change.js';
import { command } from '../../src/checks/command.js';
import type { StepDeps } from '../../src/checks/deps.js';
import { childUrl } from '../../src/checks/environment.js';
import { freshRedis } from '../support/database.js';
import { after, before, bind, contextOf, createWorld, probe, run, sql, type World } from './world.js';

let world: World;
let deps: StepDeps;
let redisUrl: string;

beforeAll(async () => {
  world = await createWorld();
  deps = world.deps();
  redisUrl = (await freshRedis()).url;
});
afterAll(() => world.drop());

const nowhere = 'postgresql://a:b@127.0.0.1:9/none';

async function targetAt(revision: string) {
  return world.target({
    databaseUrl: (await world.databaseAt(revision)).url,
    redisUrl,
    directory: await world.backend(),
  });
}

const sh = (script: string) => ['/bin/sh', '-c', script];

describe('the ops scripts, whose exit codes prove little', () => {
  const reconcile = {
    argv: ['python3', '-m', 'scripts.ops.reconcile_dl', '--dry-run', '--json'],
    expect: {
      'stdout-json': { status: { absent: true } },
      'stderr-not-matching': '\\b(ERROR|CRITICAL)\\b|Traceback',
    },
  };
  const status = {
    argv: ['python3', '-m', 'scripts.ops.refresh_matview', '--status', '--json'],
    expect: { 'stdout-json': { 'mv_top_pending.last_success': true } },
  };

  test('reconcile_dl at 022 says no status', async () => {
    const outcome = await run(command(deps), reconcile, contextOf(await targetAt(after)));
    expect(outcome).toMatchObject({ result: 'passed' });
    expect(outcome.summary).toContain('no status');
  });

  test('reconcile_dl at 021, with the lock held, and without a database is "skipped" with exit 0', async () => {
    const held = await targetAt(after);
    await sql(held.databaseUrl, `select m10_recovery.acquire_lock('m10:reconcile_dl', 'other', 600)`);
    for (const target of [await targetAt(before), held, { ...held, databaseUrl: nowhere }]) {
      const outcome = await run(command(deps), reconcile, contextOf(target));
      expect(outcome.result).toBe('failed');
      expect(outcome.summary).toContain('expected absent at status, found "skipped"');
    }
  });

  test('reconcile_dl without Redis ends with 0 and zeros; its error on stderr tells', async () => {
    const target = { ...(await targetAt(after)), redisUrl: 'redis://127.0.0.1:9/0' };
    const outcome = await run(command(deps), reconcile, contextOf(target));
    expect(outcome.result).toBe('failed');
    expect(outcome.summary).toContain('stderr says: ERROR');
  });

  test('refresh_matview --status prints {} before the first refresh and without a database', async () => {
    const target = await targetAt(after);
    for (const one of [target, { ...target, databaseUrl: nowhere }]) {
      const outcome = await run(command(deps), status, contextOf(one));
      expect(outcome.summary).toContain('expected true at mv_top_pending.last_success, found nothing');
    }
    await sql(target.databaseUrl, `select m10_recovery.refresh_mv_tracked('mv_top_pending')`);
    expect(await run(command(deps), status, contextOf(target))).toMatchObject({ result: 'passed' });
  });
});

describe('the environment of a command', () => {
  test('is the target’s own and nothing else', async () => {
    process.env.M10_ACCIDENT = 'inherited';
    try {
      const target = world.target({
        databaseUrl: 'postgresql://u:p@127.0.0.1:9/d?application_name=other',
        redisUrl,
        env: { PATH: '/usr/bin:/bin', OWN: 'yes' },
      });
      const context = contextOf(target);
      const outcome = await run(
        command(deps),
        { argv: ['env'], env: { EXTRA: '1', DATABASE_URL: 'never' } },
        context,
      );
      expect(outcome.output?.split('\n').sort()).toEqual([
        'DATABASE_URL=postgresql://u:p@127.0.0.1:9/d',
        'EXTRA=1',
        'OWN=yes',
        'PATH=/usr/bin:/bin',
        `PGAPPNAME=${context.applicationName}`,
        `PYTHONPYCACHEPREFIX=${join(dirname(deps.workDirectory), 'pycache')}`,
        `REDIS_URL=${redisUrl}`,
      ]);
    } finally {
      delete process.env.M10_ACCIDENT;
    }
  });

  test('the URL loses what would win over the name of the session and its lock_timeout', () => {
    expect(childUrl('postgresql://h/d?sslmode=require&options=-c%20x%3D1&application_name=y')).toEqual({
      url: 'postgresql://h/d?sslmode=require',
      options: '-c x=1',
    });
    expect(childUrl('postgresql://h/d')).toEqual({ url: 'postgresql://h/d', options: '' });
  });

  test('the description names the target’s servers and shows no address', async () => {
    const target = world.target({ databaseUrl: 'postgresql://u:p@h/d', redisUrl });
    const described = bind(command(deps), {
      argv: ['python3', '-m', 'x', 'not HighVolume'],
      env: { A: 'b c' },
    }).describe(contextOf(target));
    expect(described.commands.at(-1)).toBe(
      "DATABASE_URL=<production> REDIS_URL=<production> A='b c' python3 -m x 'not HighVolume'",
    );
  });
});

describe('expectations', () => {
  const check = async (args: object) =>
    run(command(deps), args, contextOf(world.target({ databaseUrl: nowhere })));

  test('exit codes, text and JSON are told together', async () => {
    const outcome = await check({
      argv: sh('echo not json; echo boom >&2; exit 3'),
      expect: {
        'stdout-json': { a: 1 },
        'stdout-matching': '^yes',
        'stdout-not-matching': 'json',
        'stderr-not-matching': 'boom',
      },
    });
    expect(outcome.result).toBe('failed');
    for (const part of [
      'stdout is not JSON',
      'stdout is not of the form that the runbook expects (stdout-matching)',
      'stdout says: not json',
      'stderr says: boom',
      'it ended with 3, expected 0',
    ]) {
      expect(outcome.summary).toContain(part);
    }
  });

  test('an exit code that is listed passes', async () => {
    expect(await check({ argv: sh('exit 3'), expect: { exit: [0, 3] } })).toMatchObject({
      result: 'passed',
    });
  });

  test('empty stdout is no JSON', async () => {
    const outcome = await check({ argv: sh('true'), expect: { 'stdout-json': { a: { absent: true } } } });
    expect(outcome.summary).toContain('stdout is not JSON (it is empty)');
  });

  test('a missing program fails, a command that is stopped is unknown', async () => {
    expect(await check({ argv: ['no-such-program'] })).toMatchObject({ result: 'failed' });
    const stop = new AbortController();
    const context = contextOf(world.target({ databaseUrl: nowhere }), { signal: stop.signal });
    const running = run(command(deps), { argv: ['sleep', '60'] }, context);
    const deadline = Date.now() + 20_000;
    while (deps.processes.look(context.childId).kind !== 'running' && Date.now() < deadline) {
      await new Promise((done) => setTimeout(done, 20));
    }
    stop.abort();
    expect(await running).toMatchObject({ result: 'unknown' });
  });

  test('a misspelt expectation is refused with what is expected', () => {
    expect(command(deps).bind({ argv: ['x'], expect: { 'stdout-json': { a: { equal: 1 } } } })).toMatchObject(
      { ok: false, issues: [{ path: ['expect', 'stdout-json', 'a'] }] },
    );
    expect(command(deps).bind({ argv: 'ls -l' })).toMatchObject({
      ok: false,
      issues: [{ message: 'expected the program and its arguments as a list' }],
    });
  });
});

describe('test reports', () => {
  const report = (cases: string) =>
    `<testsuites><testsuite name="s" tests="9">${cases}</testsuite></testsuites>`;
  const pass = (name: string) => `<testcase classname="tests.t.TestA" name="${name}"/>`;
  const fail = (name: string) =>
    `<testcase classname="tests.t.TestA" name="${name}"><failure message="it broke">…</failure></testcase>`;
  const skip = (name: string) =>
    `<testcase classname="tests.t.TestA" name="${name}"><skipped message="no server"/></testcase>`;

  async function judge(xml: string | null, junit: object = {}, exit = 0) {
    const source = join(world.directory, `report-${Math.random()}.xml`);
    if (xml !== null) await writeFile(source, xml);
    return run(
      commandChange(deps),
      {
        argv: sh(`${xml === null ? '' : `cp '${source}' '{work}/junit.xml';`} exit ${exit}`),
        expect: { exit: [0, 1], junit: { file: '{work}/junit.xml', ...junit } },
      },
      contextOf(world.target({ databaseUrl: nowhere })),
    );
  }

  test('counts what ran', async () => {
    const outcome = await judge(report(pass('one') + pass('two')));
    expect(outcome).toMatchObject({ result: 'passed' });
    expect(outcome.summary).toContain('2 tests passed');
  });

  test('names a failure that nobody accepted, also at exit 0', async () => {
    const outcome = await judge(report(pass('one') + fail('two')));
    expect(outcome.summary).toContain('1 test failed: TestA.two (it broke)');
  });

  test('an accepted failure passes by name alone, and the gate is warned', async () => {
    const accepted = { 'accept-failures': ['TestA.two'] };
    expect(await judge(report(pass('one') + fail('two')), accepted, 1)).toMatchObject({
      result: 'passed',
    });
    expect(await judge(report(pass('one') + fail('three')), accepted, 1)).toMatchObject({
      result: 'failed',
    });
    const step = bind(commandChange(deps), {
      argv: ['pytest'],
      expect: { junit: { file: 'x', ...accepted, 'accept-skips': ['b'] } },
    });
    expect(await step.survey?.(contextOf(world.target({ databaseUrl: nowhere })))).toMatchObject({
      warnings: ['these tests may fail: TestA.two', 'these tests may be skipped: b'],
    });
  });

  test('a skip hides a failure unless it is accepted', async () => {
    const xml = report(pass('one') + skip('two'));
    expect((await judge(xml)).summary).toContain('1 test skipped without leave: TestA.two (no server)');
    expect(await judge(xml, { 'accept-skips': ['two'] })).toMatchObject({ result: 'passed' });
  });

  test('a filter that selects nothing, and a report that is missing or half, are failures', async () => {
    expect((await judge(report(''))).summary).toContain('0 tests ran, expected at least 1');
    expect((await judge(report(pass('one')), { 'min-tests': 5 })).summary).toContain(
      '1 test ran, expected at least 5',
    );
    expect((await judge(null)).summary).toContain('no test report was written');
    expect((await judge('<testsuites><testsuite>')).summary).toContain('cannot be read');
  });

  test('-k "not high_volume" deselects nothing; the class name does', async () => {
    const target = await targetAt(after);
    const collected = async (filter: string) => {
      const outcome = await run(
        command(deps),
        {
          argv: [
            'python3',
            '-m',
            'pytest',
            'tests/test_m10_recovery_chaos.py',
            '--collect-only',
            '-q',
            '-k',
            filter,
          ],
        },
        contextOf(target),
      );
      return outcome.output ?? '';
    };
    expect(await collected('not high_volume')).toContain('TestHighVolume');
    const rest = await collected('not HighVolume');
    expect(rest).toContain('TestStreams');
    expect(rest).not.toContain('TestHighVolume');
  });
});

describe('the probe of command.change', () => {
  const args = { argv: sh('echo \'{"done": true}\''), expect: { 'stdout-json': { done: true } } };
  const target = () => world.target({ databaseUrl: nowhere });

  test('reads the recorded end', async () => {
    const context = contextOf(target());
    expect(await probe(commandChange(deps), args, context)).toMatchObject({ kind: 'not_done' });
    await run(commandChange(deps), args, context);
    expect(await probe(commandChange(deps), args, context)).toMatchObject({
      kind: 'done',
      outcome: { result: 'passed' },
    });
    const other = { ...args, expect: { 'stdout-json': { done: false } } };
    expect(await probe(commandChange(deps), other, context)).toMatchObject({
      kind: 'done',
      outcome: { result: 'failed' },
    });
  });

  test('a program that still runs is running, one whose end nobody saw is unknown', async () => {
    const stop = new AbortController();
    const context = contextOf(target(), { signal: stop.signal });
    const running = run(commandChange(deps), { argv: ['sleep', '60'] }, context);
    const deadline = Date.now() + 20_000;
    let seen = await probe(commandChange(deps), { argv: ['sleep', '60'] }, context);
    while (seen.kind !== 'running' && Date.now() < deadline) {
      await new Promise((done) => setTimeout(done, 20));
      seen = await probe(commandChange(deps), { argv: ['sleep', '60'] }, context);
    }
    expect(seen.kind).toBe('running');
    stop.abort();
    await running;
    expect(await probe(commandChange(deps), { argv: ['sleep', '60'] }, context)).toMatchObject({
      kind: 'unknown',
    });
  });
});
