// Every check of the repository, on a fresh clone too: npm test [-- options of vitest]. Stops at the first stage
// that fails. The last line always reads "N passed, N failed", with ", N skipped" when there are any.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootstrap, launch, ROOT } from './bootstrap.mjs';
import { compile } from './build.mjs';

const modules = join(ROOT, 'node_modules');

/** Runs a program of a package with its output on ours. */
function run(script, args, toolPath, more = {}) {
  const done = spawnSync(process.execPath, [join(modules, script), ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PATH: toolPath, M10_TOOL_PATH: toolPath, M10_COMPILED: '1', ...more },
  });
  return done.status === 0;
}

function types(toolPath) {
  if (!run('typescript/bin/tsc', ['-p', 'tsconfig.json'], toolPath)) return false;
  // The end-to-end tests start the compiled bot.
  const { ok, output } = compile();
  if (!ok) console.log(output);
  return ok;
}

/** Counts from vitest's JSON report; a file that could not be loaded has no tests and counts as one failure. */
function counts(report) {
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((result) => result.status === 'failed'),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

function tests(toolPath, drivers, args) {
  const folder = mkdtempSync(join(tmpdir(), 'm10-report-'));
  try {
    const file = join(folder, 'report.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
    const ok = run('vitest/vitest.mjs', ['run', ...reporters, ...args], toolPath, {
      M10_TEST_PYTHONPATH: process.env.M10_TEST_PYTHONPATH ?? drivers ?? '',
    });
    let result;
    try {
      result = counts(JSON.parse(readFileSync(file, 'utf8')));
    } catch {
      console.log('\nvitest ended without a report, which counts as one failure.');
      result = { passed: 0, failed: 1, skipped: 0 };
    }
    if (!ok && result.failed === 0) {
      // An error outside of any test, or no test at all.
      console.log('\nvitest failed outside of the tests, which counts as one failure.');
      result.failed = 1;
    }
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function stage(name, work) {
  console.log(`\n── ${name} ${'─'.repeat(Math.max(0, 60 - name.length))}`);
  const start = Date.now();
  const result = work();
  console.log(`── ${name}: ${((Date.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

function summary({ passed, failed, skipped }) {
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return failed === 0 ? 0 : 1;
}

function main() {
  const { toolPath, drivers } = bootstrap({ build: false, tests: true });
  const folders = ['src', 'workspace', 'test', 'bench'].filter((name) => existsSync(join(ROOT, name)));
  const rules = ['--config', '.dependency-cruiser.cjs', ...folders];
  const stages = [
    ['Types', () => types(toolPath)],
    ['Lint', () => run('@biomejs/biome/bin/biome', ['check', '.'], toolPath)],
    ['Import table', () => run('dependency-cruiser/bin/dependency-cruise.mjs', rules, toolPath)],
  ];
  for (const [name, work] of stages) {
    if (stage(name, work)) continue;
    console.log(`\n${name} failed, which counts as one failure; the tests were not run.`);
    return summary({ passed: 0, failed: 1, skipped: 0 });
  }
  return summary(stage('Tests', () => tests(toolPath, drivers, process.argv.slice(2))));
}

await launch(main);
