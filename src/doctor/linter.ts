import { lastWords, readingId } from '../clients/process/ids.js';
import type { Processes } from '../clients/process.js';
import { squawkProgram } from '../clients/squawk.js';
import { parseVersion } from '../clients/tools.js';
import { type Check, fine, problem } from './finding.js';

/** The linter of the migration's SQL comes with m10bot, but its binary is an optional package of npm. */
export function linterCheck(processes: Processes): Check {
  const what = 'squawk';
  const todo = 'install the packages again: npm ci, without --omit=optional';
  return {
    what,
    async run() {
      const program = squawkProgram();
      if (program === null) return [problem(what, 'the package squawk-cli is not installed', todo)];
      const result = await processes.run({
        id: readingId('doctor', 'squawk'),
        argv: [...program, '--version'],
        cwd: '/',
        env: {},
        timeoutMs: 20_000,
      });
      if (result.kind !== 'exited' || result.exitCode !== 0) {
        return [problem(what, `does not run: ${lastWords(result)}`, todo)];
      }
      return [fine(what, parseVersion(result.stdout) ?? 'present')];
    },
  };
}
