import { readFile } from 'node:fs/promises';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { z } from 'zod';

export interface JunitCase {
  readonly classname: string;
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'error' | 'skipped';
  /** The reason of a failure, error or skip; empty for a pass. */
  readonly message: string;
  /** Seconds. */
  readonly seconds: number | null;
}

export interface JunitReport {
  readonly tests: number;
  readonly failures: number;
  readonly errors: number;
  readonly skipped: number;
  readonly cases: readonly JunitCase[];
}

export type JunitResult =
  | ({ readonly kind: 'report' } & JunitReport)
  | { readonly kind: 'missing'; readonly path: string }
  | { readonly kind: 'malformed'; readonly problem: string };

/** Reads a report file. A test program that crashed leaves none, or half of one. */
export async function readJunit(path: string): Promise<JunitResult> {
  try {
    return parseJunit(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      return { kind: 'missing', path };
    throw error;
  }
}

const text = z.coerce.string();
const outcomeSchema = z.union([
  z.string(),
  z.looseObject({ '@message': text.optional(), '#text': text.optional() }),
]);
const caseSchema = z.looseObject({
  '@classname': text.optional(),
  '@name': text,
  '@time': text.optional(),
  failure: z.array(outcomeSchema).optional(),
  error: z.array(outcomeSchema).optional(),
  skipped: z.array(outcomeSchema).optional(),
});
/** An empty element is an empty string to the parser. */
const emptyAsObject = (value: unknown): unknown => (value === '' ? {} : value);
interface Suite {
  testcase?: z.infer<typeof caseSchema>[] | undefined;
  testsuite?: Suite[] | undefined;
}
const suiteSchema: z.ZodType<Suite> = z.lazy(() =>
  z.looseObject({
    testcase: z.array(caseSchema).optional(),
    testsuite: z.array(z.preprocess(emptyAsObject, suiteSchema)).optional(),
  }),
);

const LISTS = new Set(['testsuite', 'testcase', 'failure', 'error', 'skipped']);

/**
 * Parses what pytest writes with --junitxml. The counts are made from the cases and not taken from the
 * attributes: they then agree with the names that people see.
 */
export function parseJunit(xml: string): JunitResult {
  const valid = XMLValidator.validate(xml);
  if (valid !== true) return { kind: 'malformed', problem: `line ${valid.err.line}: ${valid.err.msg}` };
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    parseTagValue: false,
    parseAttributeValue: false,
    // Line breaks in a failure's message come as numeric references, which belong to these.
    htmlEntities: true,
    isArray: (name) => LISTS.has(name),
  });
  const rootSchema = z.looseObject({
    testsuites: z.preprocess(emptyAsObject, suiteSchema).optional(),
    testsuite: z.array(z.preprocess(emptyAsObject, suiteSchema)).optional(),
  });
  const root = rootSchema.safeParse(parser.parse(xml));
  if (!root.success) return { kind: 'malformed', problem: z.prettifyError(root.error) };
  const { testsuites, testsuite } = root.data;
  if (testsuites === undefined && testsuite === undefined) {
    return { kind: 'malformed', problem: 'There is no testsuites and no testsuite element.' };
  }
  const suites: Suite[] = [...(testsuites === undefined ? [] : [testsuites]), ...(testsuite ?? [])];
  const cases = suites.flatMap(casesOf);
  const count = (status: JunitCase['status']) => cases.filter((one) => one.status === status).length;
  return {
    kind: 'report',
    tests: cases.length,
    failures: count('failed'),
    errors: count('error'),
    skipped: count('skipped'),
    cases,
  };
}

function casesOf(suite: Suite): JunitCase[] {
  return [...(suite.testcase ?? []).map(caseOf), ...(suite.testsuite ?? []).flatMap(casesOf)];
}

function caseOf(element: z.infer<typeof caseSchema>): JunitCase {
  // A test that passes and then fails in its teardown has an error; a failure outranks a skip.
  const [status, outcome] =
    element.failure !== undefined
      ? (['failed', element.failure[0]] as const)
      : element.error !== undefined
        ? (['error', element.error[0]] as const)
        : element.skipped !== undefined
          ? (['skipped', element.skipped[0]] as const)
          : (['passed', ''] as const);
  const seconds = Number(element['@time']);
  return {
    classname: element['@classname'] ?? '',
    name: element['@name'],
    status,
    message: typeof outcome === 'string' ? outcome : (outcome?.['@message'] ?? outcome?.['#text'] ?? ''),
    seconds: element['@time'] === undefined || Number.isNaN(seconds) ? null : seconds,
  };
}
