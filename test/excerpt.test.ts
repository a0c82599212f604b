import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sayStayed } from '../src/actions/alembic/stayed.js';
import { shortName } from '../src/checks/command/arguments.js';
import { executionNotes } from '../src/checks/plan/baseline.js';
import type { MigrationPlan } from '../src/checks/plan/migration-plan.js';
import { planWarnings, unseen } from '../src/checks/plan/survey.js';
import { readReport } from '../src/clients/alembic/report.js';
import { excerptOf } from '../src/clients/m10/dead-letter-entry.js';
import { createProcesses } from '../src/clients/process.js';
import { lineOf } from '../src/doctor/report.js';
import { beginningOf, endOf, firstWords, shortLine } from '../src/excerpt.js';
import { createRedactor } from '../src/redact.js';
import { sendNotice } from '../src/scheduler/outbox/notify.js';
import { runProgram } from '../src/scheduler/outbox/program.js';
import { createStop } from '../src/scheduler/outbox/stop.js';
import { target } from './runner/sample.js';

/** Nothing else here has a letter of it, so that each that is left shows. */
const secret = 'ΑΒΓΔΕΖΗΘ';
const { redact } = createRedactor([secret]);
const greek = /\p{Script=Greek}/u;
/** So that the cut of any function falls into the secret once, wherever it cuts. */
const offsets = Array.from({ length: 24 }, (_, n) => n);
const filled = (length: number) => 'select 1 '.repeat(Math.ceil(length / 9)).slice(0, length);
const atEach = (max: number) =>
  offsets.map((n) => `${filled(max - 12 + n)}${secret} and more ${filled(200)}`);

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'm10-excerpt-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const plan: MigrationPlan = {
  direction: 'upgrade',
  from: ['a'],
  to: ['b'],
  legs: [{ to: 'b', from: ['a'], steps: [{ direction: 'upgrade', revision: 'b', from: ['a'], to: ['b'] }] }],
  sql: { kind: 'printed', text: '', sha256: '', outside: [], findings: [] },
  place: { schema: null, table: 'alembic_version' },
  versionSchema: null,
  database: { database: 'd', oid: '1', system: null, started: '' },
  observed: {
    versions: '',
    files: new Map(),
    scripts: [],
    programs: [],
    asks: [],
    writesAtStart: null,
  },
};
const told = (text: string) => ({
  text,
  effect: 'changes' as const,
  outside: false,
  normalForm: text,
  otherForms: [],
  shape: () => text,
});

describe('no cut leaves part of a secret', () => {
  test.each<[string, number, (text: string) => string | Promise<string>]>([
    ['beginningOf', 100, (text) => beginningOf(text, 100, redact)],
    ['shortLine', 100, (text) => shortLine(text, 100, redact)],
    ['a secret that a line break divides', 100, (text) => shortLine(text.replace('Δ', 'Δ\n'), 100, redact)],
    [
      'programs of a plan',
      100,
      (text) =>
        unseen(
          { ...plan, observed: { ...plan.observed, programs: [text.split(' ')] } as never },
          { target: target('staging'), redact },
        ).join(),
    ],
    [
      'statements outside the transaction',
      100,
      (text) => planWarnings({ ...plan, sql: { ...plan.sql, outside: [text] } as never }, redact).join(),
    ],
    [
      'statements that lose data',
      100,
      (text) => {
        const findings = [{ rank: 'data-loss', rule: 'r', message: '', line: 1, statement: text }];
        return planWarnings({ ...plan, sql: { ...plan.sql, findings } as never }, redact).join();
      },
    ],
    [
      'statements that nobody approved',
      120,
      async (text) =>
        (
          await executionNotes(
            { statements: [told(text)], whole: true },
            { plan, before: null, look: async () => null, arrived: true, redact },
          )
        ).notes.join(),
    ],
    [
      'statements that stayed',
      100,
      (text) =>
        sayStayed(
          {
            kind: 'part',
            committed: [{ sql: text, elsewhere: null }],
            uncertain: [{ sql: text, elsewhere: null }],
            lasting: [],
            unanswered: [],
            unknown: [],
            movedVersion: false,
          },
          redact,
        ),
    ],
    ['the doctor', 600, (text) => lineOf({ mark: 'problem', what: 'x', facts: text, todo: 'y' }, redact)],
    [
      'a notice',
      3_000,
      async (text) => {
        let shown = '';
        const event = { ...outboxEvent, payload: { text } };
        await sendNotice(
          event,
          ['C0TEST'],
          async (notice) => {
            shown = notice.text;
          },
          redact,
        );
        return shown;
      },
    ],
  ])('%s', async (_name, max, cut) => {
    for (const text of atEach(max)) {
      const shown = await cut(text);
      expect(shown, text).toContain('…');
      expect(shown, text).not.toMatch(greek);
    }
  });

  test('endOf', () => {
    for (const n of offsets) {
      const shown = endOf(`${filled(300)} ${secret} ${filled(88 + n)}`, 100, redact);
      expect(shown).toMatch(/^…/);
      expect(shown).not.toMatch(greek);
    }
  });

  test('the last words of a program that an event was given to', async () => {
    const processes = createProcesses({ directory: join(directory, 'children') });
    const place = {
      processes,
      target: target('staging', { directory, env: { PATH: process.env.PATH ?? '' } }),
      redact,
    };
    for (const n of [288, 292, 296]) {
      const script = `printf '%s %s %s' "$(seq 1 200 | tr '\\n' ' ')" ${secret} ${'x'.repeat(n)}; exit 1`;
      const end = await runProgram(
        place,
        { argv: ['sh', '-c', script], timeout: 60_000 },
        outboxEvent,
        createStop(),
      );
      expect(end.kind).toBe('failed');
      expect(JSON.stringify(end)).toContain('…');
      expect(JSON.stringify(end)).not.toMatch(greek);
    }
  });

  const outboxEvent = {
    id: '1',
    aggregateType: 'a',
    aggregateId: '1',
    eventType: 'notify:ops',
    payload: {},
    payloadText: '{}',
    failedTries: 0,
    publishedAt: '2026-01-01T00:00:00Z',
  };
});

describe('whoever has no redactor cuts between words, or says that something is missing', () => {
  test('firstWords', () => {
    expect(firstWords('one two', 10)).toBe('one two');
    expect(firstWords('one two three', 10)).toBe('one two …');
    expect(firstWords('x'.repeat(20), 10)).toBe(`${'x'.repeat(8)} …`);
    for (const text of atEach(100)) expect(redact(firstWords(text, 100)), text).not.toMatch(greek);
  });

  test('names of commands and excerpts of dead letters', () => {
    for (const text of atEach(80)) {
      expect(redact(shortName({ argv: ['tool', text, 'x'] })), text).not.toMatch(greek);
    }
    for (const text of atEach(600)) {
      expect(redact(excerptOf([[Buffer.from('body'), Buffer.from(text)]])), text).not.toMatch(
        /\p{Script=Greek}{4}/u,
      );
    }
  });

  test('long output keeps whole lines, and long lines are marked', async () => {
    const processes = createProcesses({ directory: join(directory, 'outputs') });
    const outputOf = async (id: string, script: string) => {
      const result = await processes.run({
        id,
        argv: ['sh', '-c', script],
        cwd: directory,
        env: { PATH: process.env.PATH ?? '' },
        timeoutMs: 60_000,
        maxOutputBytes: 100,
      });
      if (result.kind !== 'exited') throw new Error(result.kind);
      return result.stdout;
    };
    for (const n of offsets) {
      const lines = `${'x'.repeat(n)}\npassword=${secret}\n`;
      const shown = await outputOf(`lines-${n}`, `for i in 1 2 3 4 5 6; do printf '%s' '${lines}'; done`);
      expect(shown).toContain('bytes left out');
      for (const line of shown.split('\n')) expect(line).toMatch(/^(?:x*|password=Α.*Θ|\[….*…\])$/u);
      expect((await processes.tail(`lines-${n}`, 60)).stdout).toMatch(
        /^(?:x*\n)?(?:password=Α.*Θ\n|x*\n)*$/u,
      );
    }
    const long = await outputOf('long', `printf '%s' '${`${secret}-`.repeat(40)}'`);
    expect(redact(long)).not.toMatch(/\p{Script=Greek}{4}/u);
  });

  test('words and messages of the report from inside that were perhaps cut', async () => {
    const path = join(directory, 'report.jsonl');
    const word = (length: number) => `${'w'.repeat(length - 5)}${secret.slice(0, 5)}`;
    const events = [
      { event: 'program', argv: ['tool', word(500), word(499)] },
      { event: 'error', where: 'x', step: null, classes: [], message: word(2_000), sqlstate: null },
    ];
    await writeFile(path, events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    const [program, error] = (await readReport(path))?.events ?? [];
    expect(program).toMatchObject({ argv: ['tool', `${word(500)}…`, word(499)] });
    expect(error).toMatchObject({ message: `${word(2_000)}…` });
    expect(redact(`started tool ${word(500)}… --flag`)).not.toMatch(greek);
  });
});

/** Where texts are shortened that passed the redactor before, that people typed, or that hold no secrets. */
const elsewhere = [
  /** Redacted by whoever wrote it to the journal or to the table of runs. */
  'runbook/jobs/alarms.ts',
  'runbook/jobs/decide.ts',
  'runbook/executed.ts',
  'store/job-runs.ts',
  'runner/steps.ts',
  'metrics/labels.ts',
  'scheduler/outbox/deliver.ts',
  'bot/render/limits.ts',
  /** Typed in the channel. */
  'commands/parse-words.ts',
  'commands/open-beside.ts',
  /** The redactor itself would have to be read from it. */
  'yaml-source.ts',
  'excerpt.ts',
];

test('nothing else shortens a text by itself', async () => {
  const root = new URL('../src/', import.meta.url).pathname;
  const files = (await readdir(root, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const found: string[] = [];
  for (const file of files) {
    const text = await readFile(join(root, file), 'utf8');
    if (/\.(?:slice|substring|substr)\([^)]*\)\}?\)?\s?(?:…|\.\.\.)|…\$\{[^}]*\.slice\(/.test(text))
      found.push(file);
  }
  expect(found.filter((file) => !elsewhere.includes(file))).toEqual([]);
});
