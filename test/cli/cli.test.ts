import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compiled } from '../support/compiled.js';
import { runCli } from './program.js';

let dist = '';
let folder = '';
beforeAll(async () => {
  dist = await compiled();
  folder = await mkdtemp(join(tmpdir(), 'm10-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const runbook = resolve('runbooks/022_m10_production_hardening.yml');

describe('what is not a command', () => {
  test('is answered on stderr with the nearest one and the usage, exit code 2', async () => {
    const { code, stdout, stderr } = await runCli(dist, ['strat']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^"strat" is not a command\. Did you mean "start"\?\n\nUsage: m10bot COMMAND\n/);
  });
  test.each([
    [[]],
    [['--vresion']],
    [['doctor', '--head', `1:${'a'.repeat(64)}`]],
    [['audit', 'export', 'seven']],
  ])('%j ends with 2, too', async (args) => {
    const { code, stderr } = await runCli(dist, args);
    expect(code).toBe(2);
    expect(stderr).toContain('Usage: m10bot COMMAND');
  });
});

test('help and the version are answered on stdout', async () => {
  for (const args of [['help'], ['--help'], ['-h'], ['start', '--help']]) {
    expect(await runCli(dist, args)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('Usage:'),
    });
  }
  expect(await runCli(dist, ['--version'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^m10bot \d+\.\d+\.\d+\n$/),
  });
});

describe('runbook check', () => {
  test('says what a good runbook holds, without configuration or connection', async () => {
    const { code, stdout, stderr } = await runCli(dist, ['runbook', 'check', runbook], { cwd: folder });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^OK .*022_m10_production_hardening\.yml: M10 migration 022/);
    expect(stdout).toMatch(
      /021_m10_durable_queue_fallback → 022_m10_production_hardening on staging, production/,
    );
  });
  test('names every problem with place, key, what was found and what was expected', async () => {
    const file = join(folder, 'bad.yml');
    await writeFile(
      file,
      [
        'runbook: bad',
        'title: A bad runbook',
        'targets: [staging]',
        'migration: { from: a, to: b }',
        'phases:',
        '  - id: one',
        '    title: The first phase',
        '    gate: none',
        '    steps:',
        '      - { id: a, title: No such kind, uses: alembic.curent }',
        '      - { id: b, title: A wrong argument, uses: approvers.present, with: { at-least: none } }',
        '      - { id: c, title: A change, uses: postgres.backup, on: elsewhere }',
        'rollback: { id: rollback, title: Back again, gate: { approvals: 1 }, steps: [{ id: r, title: Back, uses: window.open }] }',
        '',
      ].join('\n'),
    );
    const { code, stdout, stderr } = await runCli(dist, ['runbook', 'check', file]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /bad\.yml:10:\d+ phases\.0\.steps\.0\.uses: expected a step kind \(.*\), found "alembic\.curent"/,
    );
    expect(stderr).toMatch(
      /bad\.yml:11:\d+ phases\.0\.steps\.1\.with\.at-least: expected a whole number, found "none"/,
    );
    expect(stderr).toMatch(
      /bad\.yml:12:\d+ phases\.0\.steps\.2\.on: expected one of the runbook's targets \(staging\), found "elsewhere"/,
    );
    expect(stderr).toMatch(/bad\.yml:8:\d+ phases\.0\.gate: step c changes its target/);
    expect(stderr).toMatch(/has \d+ problems\.\n$/);
  });
  test('a file that is not there is a problem, not a crash', async () => {
    const { code, stderr } = await runCli(dist, ['runbook', 'check', join(folder, 'none.yml')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/cannot be read.*\n.*none\.yml has 1 problem\.\n$/);
  });
});

test('runbook schema prints what is committed', async () => {
  const { code, stdout } = await runCli(dist, ['runbook', 'schema']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ title: 'A runbook of m10bot', definitions: { step: {} } });
});

describe('a configuration with mistakes', () => {
  test.each([[['start']], [['audit', 'verify']], [['audit', 'export']]])(
    '%j lists all of them and does nothing',
    async (args) => {
      const { code, stdout, stderr } = await runCli(dist, args, { cwd: folder });
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(
        /^m10bot has not done anything\. The configuration has 3 problem\(s\):\n- .*SLACK_BOT_TOKEN/,
      );
      expect(stderr).toMatch(/\n- .*m10\.yml: expected a readable configuration file/);
      expect(stderr).not.toContain('    at ');
    },
  );
  test('the doctor reports each on a line of its own', async () => {
    const { code, stdout } = await runCli(dist, ['doctor'], { cwd: folder });
    expect(code).toBe(1);
    expect(stdout.match(/^✗ configuration: .* → /gm)).toHaveLength(3);
    expect(stdout).toMatch(/\n0 fine, 0 warnings, 3 problems\./);
  });
});
