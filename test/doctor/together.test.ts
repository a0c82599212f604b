import { expect, test } from 'vitest';
import { fine, problem } from '../../src/doctor/finding.js';
import { lineOf, summaryOf } from '../../src/doctor/report.js';
import { runTogether } from '../../src/doctor/together.js';

test('a check that hangs or throws holds up no other', async () => {
  const findings = await runTogether(
    [
      { what: 'hanging', run: () => new Promise(() => {}) },
      { what: 'throwing', run: () => Promise.reject(new Error('a bug')) },
      { what: 'good', run: async () => [fine('good', 'here')] },
    ],
    50,
  );
  expect(findings.map((finding) => lineOf(finding, (text) => text))).toEqual([
    expect.stringMatching(/^✗ hanging: no answer within/),
    expect.stringMatching(/^✗ throwing: could not be looked at: a bug → /),
    '✓ good: here',
  ]);
});

test('a finding is one line, however much a program had to say', () => {
  const line = lineOf(
    problem('alembic', `does not run:\nTraceback\n  File "x"\n${'y '.repeat(2_000)}`, 'mend it'),
    (text) => text,
  );
  expect(line).not.toContain('\n');
  expect(line.length).toBeLessThanOrEqual(600);
  expect(line).toMatch(/ → mend it$/);
});

test('the summary counts and says what it means', () => {
  expect(summaryOf([fine('a', 'b')])).toBe('1 fine, 0 warnings, 0 problems. The bot can start.');
  expect(summaryOf([{ mark: 'attention', what: 'a', facts: 'b' }])).toMatch(
    /^0 fine, 1 warning, .*read the lines/,
  );
  expect(summaryOf([problem('a', 'b', 'c')])).toMatch(/1 problem\. Resolve/);
});
