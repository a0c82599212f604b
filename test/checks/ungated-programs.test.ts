import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { runOpenedLine } from '../../src/bot/render/notes.js';
import { createChecks } from '../../src/checks/index.js';
import { checkRunbookFile } from '../../src/cli/runbook.js';
import { checkRunbook, RunbookError } from '../../src/load-runbook.js';
import type { OpenedRun } from '../../src/runbook/state.js';
import { createWorld, runbook, type World } from './world.js';

let world: World;
let folder: string;
beforeAll(async () => {
  world = await createWorld();
  folder = await mkdtemp(join(tmpdir(), 'm10-ungated-'));
});
afterAll(async () => {
  await world.drop();
  await rm(folder, { recursive: true, force: true });
});

/** A runbook whose first phase starts two programs. */
function written(phase: Record<string, unknown>): string {
  const program = (id: string) => ({ id, title: `Look at ${id}`, uses: 'command', with: { argv: ['env'] } });
  const steps = [program('one'), program('two')];
  const { phases: _, rollback, ...rest } = runbook;
  const gated = { ...rollback, gate: { approvals: 1 }, steps: [program('back')] };
  return stringify({ ...rest, phases: [{ id: 'look', title: 'Look', steps, ...phase }], rollback: gated });
}

const kindsOf = () => new Map(createChecks(world.deps()).map((kind) => [kind.name, kind]));
function problemsOf(phase: Record<string, unknown>): readonly string[] {
  try {
    checkRunbook('r.yml', written(phase), kindsOf(), null);
    return [];
  } catch (error) {
    if (error instanceof RunbookError) return error.problems;
    throw error;
  }
}

test('a program without an approval must be named in its block', () => {
  expect(problemsOf({ gate: 'none' })).toEqual([
    expect.stringMatching(/r\.yml:\d+.*step one starts a program.*without-approval: \[one\]/),
    expect.stringMatching(/r\.yml:\d+.*step two starts a program/),
  ]);
  expect(problemsOf({ gate: 'none', 'without-approval': ['one'] })).toEqual([
    expect.stringContaining('step two starts a program'),
  ]);
  expect(problemsOf({ gate: 'none', 'without-approval': ['one', 'two'] })).toEqual([]);
  expect(problemsOf({ gate: {} })).toEqual([]);
});

test('a name that is none, or is covered by a gate, is a mistake', () => {
  expect(problemsOf({ gate: 'none', 'without-approval': ['one', 'two', 'three'] })).toEqual([
    expect.stringContaining('expected a step of this block that starts a program (one, two)'),
  ]);
  expect(problemsOf({ gate: {}, 'without-approval': ['one'] })).toEqual([
    expect.stringContaining('expected no such key in a block with a gate'),
  ]);
});

test('it is said by runbook check, and to everybody when a run is opened', async () => {
  const file = join(folder, 'r.yml');
  await writeFile(file, written({ gate: 'none', 'without-approval': ['one', 'two'] }));
  const lines: string[] = [];
  const code = await checkRunbookFile(file, kindsOf(), {
    line: (text) => void lines.push(text),
    error: (text) => void lines.push(text),
    stream: async () => true,
    written: async () => undefined,
  });
  expect({ code, lines }).toMatchObject({ code: 0 });
  expect(lines).toContain('   starts a program without an approval: one (Look at one)');
  const { runbook: book, digest } = checkRunbook(
    'r.yml',
    written({ gate: 'none', 'without-approval': ['one', 'two'] }),
    kindsOf(),
    null,
  );
  const state = { run: 1, requester: 'UALICE', runbook: book, digest, purpose: { kind: 'runbook' } };
  expect(runOpenedLine(state as unknown as OpenedRun)).toContain(
    'Starts programs without an approval: `one`, `two`.',
  );
});
