import type { JunitCase } from '../../clients/junit.js';
import { shortLine } from '../../excerpt.js';
import { plural } from '../outcome.js';
import type { CommandExpectation } from './arguments.js';

export interface JunitVerdict {
  readonly problems: readonly string[];
  /** What ran, in one phrase. */
  readonly facts: string;
}

/**
 * Reads a test report: how many ran, which failed, which were skipped. An exit code hides skips, and a filter
 * that selects nothing looks like success.
 */
export async function judgeJunit(
  expected: NonNullable<CommandExpectation['junit']>,
  path: string,
  redact: (text: string) => string,
): Promise<JunitVerdict> {
  // Loaded at the first report: the start of the bot has no use for an XML parser.
  const { readJunit } = await import('../../clients/junit.js');
  const read = await readJunit(path);
  if (read.kind === 'missing') {
    return { problems: ['no test report was written, so the tests did not run to their end'], facts: '' };
  }
  if (read.kind === 'malformed')
    return { problems: [`the test report cannot be read (${read.problem})`], facts: '' };
  const failures = read.cases.filter((c) => c.status === 'failed' || c.status === 'error');
  const skips = read.cases.filter((c) => c.status === 'skipped');
  const badFailures = failures.filter((c) => !names(c, expected['accept-failures']));
  const badSkips = skips.filter((c) => !names(c, expected['accept-skips']));
  const ran = read.tests - skips.length;
  const accepted = failures.length - badFailures.length;
  return {
    problems: [
      ...(badFailures.length === 0
        ? []
        : [`${plural(badFailures.length, 'test')} failed: ${said(badFailures, redact)}`]),
      ...(badSkips.length === 0
        ? []
        : [`${plural(badSkips.length, 'test')} skipped without leave: ${said(badSkips, redact)}`]),
      ...(ran < expected['min-tests']
        ? [`${plural(ran, 'test')} ran, expected at least ${expected['min-tests']}`]
        : []),
    ],
    facts: [
      `${plural(ran - failures.length, 'test')} passed`,
      ...(accepted === 0 ? [] : [`${accepted} failed as accepted`]),
      ...(skips.length === 0 ? [] : [`${skips.length} skipped as accepted`]),
    ].join(', '),
  };
}

/** A test is named by its function, or by class and function to be exact. */
function names(one: JunitCase, accepted: readonly string[]): boolean {
  const full = `${one.classname}.${one.name}`;
  return accepted.some((name) => name === one.name || full === name || full.endsWith(`.${name}`));
}

function said(cases: readonly JunitCase[], redact: (text: string) => string): string {
  return cases
    .slice(0, 5)
    .map(
      (c) =>
        `${c.classname.split('.').at(-1) ?? ''}.${c.name}${c.message === '' ? '' : ` (${shortLine(firstLine(c.message), 120, redact)})`}`,
    )
    .concat(cases.length > 5 ? [`and ${cases.length - 5} more`] : [])
    .join(', ');
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
