import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { parseJunit, readJunit } from '../../src/clients/junit.js';
import { createProcesses } from '../../src/clients/process.js';

it('reads what pytest writes, with names, reasons and skips', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'm10-junit-'));
  try {
    writeFileSync(
      join(directory, 'test_sample.py'),
      `import pytest
class TestThings:
    def test_passes(self): pass
    def test_fails(self): assert 1 == 2, "one <is> not \\"two\\" & co"
    @pytest.mark.skip(reason="no redis")
    def test_skipped(self): pass
    @pytest.mark.xfail
    def test_expected(self): assert False
    def test_error(self, missing_fixture): pass
`,
    );
    const result = await createProcesses({ directory: join(directory, 'children') }).run({
      id: 'pytest',
      argv: ['pytest', '-q', '-p', 'no:cacheprovider', '--junitxml=report.xml', 'test_sample.py'],
      cwd: directory,
      env: { PATH: inject('toolPath'), PYTHONDONTWRITEBYTECODE: '1' },
      timeoutMs: 60_000,
    });
    expect(result).toMatchObject({ kind: 'exited', exitCode: 1 });
    const report = await readJunit(join(directory, 'report.xml'));
    expect(report).toMatchObject({ kind: 'report', tests: 5, failures: 1, errors: 1, skipped: 2 });
    if (report.kind !== 'report') throw new Error(report.kind);
    expect(report.cases.map((one) => [one.name, one.status])).toEqual([
      ['test_passes', 'passed'],
      ['test_fails', 'failed'],
      ['test_skipped', 'skipped'],
      ['test_expected', 'skipped'],
      ['test_error', 'error'],
    ]);
    expect(report.cases[1]).toMatchObject({
      classname: 'test_sample.TestThings',
      message: expect.stringContaining('one <is> not "two" & co'),
    });
    expect(report.cases[2]?.message).toBe('no redis');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

it('says that a report is missing', async () => {
  expect(await readJunit('/nonexistent/report.xml')).toEqual({
    kind: 'missing',
    path: '/nonexistent/report.xml',
  });
});

it.each([
  ['', /./],
  ['<testsuites><testsuite><testcase name="a">', /line/],
  ['not xml', /./],
  ['<html></html>', /testsuite/],
  ['<testsuite><testcase classname="no.name"/></testsuite>', /name/],
])('calls %j malformed and says why', (xml, problem) => {
  expect(parseJunit(xml)).toMatchObject({ kind: 'malformed', problem: expect.stringMatching(problem) });
});

it('reads empty and nested suites', () => {
  expect(parseJunit('<testsuites/>')).toMatchObject({ kind: 'report', tests: 0, cases: [] });
  expect(parseJunit('<testsuite name="pytest" tests="0"></testsuite>')).toMatchObject({
    kind: 'report',
    tests: 0,
  });
  const nested =
    '<testsuites><testsuite><testsuite><testcase name="1.0"/></testsuite></testsuite></testsuites>';
  expect(parseJunit(nested)).toMatchObject({
    tests: 1,
    cases: [{ name: '1.0', classname: '', seconds: null }],
  });
});

it('counts the cases and does not believe the attributes', () => {
  const xml =
    '<testsuite tests="9" failures="0"><testcase name="a"><failure>why</failure></testcase></testsuite>';
  expect(parseJunit(xml)).toMatchObject({ tests: 1, failures: 1, cases: [{ message: 'why' }] });
});

it('turns references in a message back into characters', () => {
  const xml =
    '<testsuite><testcase classname="a" name="b"><failure message="no &lt;table&gt;&#10;in &quot;x&quot; &#8230;"/></testcase></testsuite>';
  expect(parseJunit(xml)).toMatchObject({
    cases: [{ message: expect.stringMatching(/^no <table>\s+in "x" …/) }],
  });
});
