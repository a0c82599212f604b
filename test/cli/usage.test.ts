import { expect, test } from 'vitest';
import { readHead, readRun } from '../../src/cli/audit.js';
import { readCommand, usage } from '../../src/cli/usage.js';

const message = (words: string) => {
  const asked = readCommand(words.split(' ').filter((word) => word !== ''));
  return asked.kind === 'wrong' ? asked.message : null;
};

test('commands are read with what follows them', () => {
  expect(readCommand(['start'])).toEqual({ kind: 'command', name: 'start', operand: null });
  expect(readCommand(['runbook', 'check', 'a.yml'])).toEqual({
    kind: 'command',
    name: 'runbook check',
    operand: 'a.yml',
  });
  expect(readCommand(['audit', 'export'])).toMatchObject({ name: 'audit export', operand: null });
  expect(readCommand(['audit', 'export', '7'])).toMatchObject({ name: 'audit export', operand: '7' });
});

test.each([
  ['', 'Expected a command, found none.'],
  ['strat', '"strat" is not a command. Did you mean "start"?'],
  ['doctr', '"doctr" is not a command. Did you mean "doctor"?'],
  ['verify', '"verify" is not a command. Did you mean "audit verify"?'],
  ['zzzzzzzzzzzz', '"zzzzzzzzzzzz" is not a command.'],
  ['runbook', 'Expected check or schema or shape after "runbook", found nothing.'],
  [
    'runbook chek x',
    'Expected check or schema or shape after "runbook", found "chek". Did you mean "runbook check"?',
  ],
  ['runbook check', 'Expected "runbook check FILE", found nothing after "runbook check".'],
  ['runbook check a b', 'Expected nothing after "runbook check FILE", found "b".'],
  ['start now', 'Expected nothing after "start", found "now".'],
])('%j is answered with what was expected', (words, expected) => {
  expect(message(words)).toBe(expected);
});

test('the usage names every command', () => {
  for (const name of [
    'start',
    'doctor',
    'runbook check FILE',
    'runbook schema',
    'audit verify',
    'audit export',
  ])
    expect(usage()).toContain(`\n  ${name}`);
});

test('runs and heads are read as people write them', () => {
  expect(['7', '#7', 'run:7', 'run7'].map(readRun)).toEqual([7, 7, 7, 7]);
  expect(['0', 'seven', '7;', '-1', ''].map(readRun)).toEqual([null, null, null, null, null]);
  const hash = 'AB'.repeat(32);
  expect(readHead(`42:${hash}`)).toEqual({ position: 42, hash: hash.toLowerCase() });
  expect([`42:${hash}0`, hash, `x:${hash}`, '42:'].map(readHead)).toEqual([null, null, null, null]);
});
