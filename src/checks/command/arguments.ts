import { z } from 'zod';
import { firstWords } from '../../excerpt.js';
import { Expectation, isPattern } from '../expectation.js';
import { quoted } from '../quoted.js';

const Pattern = z.string().refine(isPattern, 'expected a regular expression');

/** What must be true of a command's end. Its exit code alone proves little. */
export const CommandExpectation = z.strictObject({
  /** Exit codes that are fine. */
  exit: z.array(z.int('expected an exit code'), 'expected a list of exit codes').min(1).default([0]),
  /** Dotted paths into the JSON on stdout, each with what must be there. */
  'stdout-json': z.record(z.string(), Expectation).optional(),
  'stdout-matching': Pattern.optional(),
  'stdout-not-matching': Pattern.optional(),
  'stderr-not-matching': Pattern.optional(),
  /** A test report in JUnit's XML. */
  junit: z
    .strictObject({
      file: z.string('expected the path of the report').min(1),
      /** Fewer tests than this mean that a filter or a path went wrong. */
      'min-tests': z.int('expected a number of tests').min(1).default(1),
      /** Names of tests that may fail; each is shown at the gate. */
      'accept-failures': z.array(z.string()).default([]),
      /** Names of tests that may be skipped; each is shown at the gate. */
      'accept-skips': z.array(z.string()).default([]),
    })
    .optional(),
});
export type CommandExpectation = z.infer<typeof CommandExpectation>;

export const CommandArgs = z.strictObject({
  /** Program and arguments; there is no shell. `{work}` is a fresh folder of this attempt. */
  argv: z.tuple([z.string().min(1)], z.string(), {
    error: 'expected the program and its arguments as a list',
  }),
  /** Relative to the target's directory. */
  cwd: z.string().optional(),
  /** Plain settings on top of the target's environment; secrets belong into the configuration. */
  env: z
    .record(
      z.string().regex(/^[A-Za-z_]\w*$/, 'expected the name of an environment variable'),
      z.string('expected a text; put numbers and yes or no in quotes'),
    )
    .default({}),
  expect: CommandExpectation.default(CommandExpectation.parse({})),
});
export type CommandArgs = z.infer<typeof CommandArgs>;

/** A command's name in a sentence: the program and what follows at once, quoted as it would be typed. */
export function shortName(args: Pick<CommandArgs, 'argv'>): string {
  return firstWords(args.argv.slice(0, 3).map(quoted).join(' '), 80);
}
