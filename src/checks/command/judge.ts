import { resolve } from 'node:path';
import { LosslessNumber, parse } from 'lossless-json';
import type { ProcessResult } from '../../clients/process.js';
import { beginningOf } from '../../excerpt.js';
import type { Outcome } from '../../runbook/step-kind.js';
import { mismatch, show, valueAt } from '../expectation.js';
import { failed, listed, passed, spoken, unknown } from '../outcome.js';
import { type CommandArgs, shortName } from './arguments.js';
import { type JunitVerdict, judgeJunit } from './junit.js';

/** Where a command ran: its report is looked for there. */
export interface CommandPlace {
  readonly work: string;
  readonly cwd: string;
  redact(text: string): string;
}

/** Whether a command's end is what was expected: exit code, output and report together. */
export async function judgeCommand(
  args: CommandArgs,
  result: ProcessResult,
  place: CommandPlace,
): Promise<Outcome> {
  const name = shortName(args);
  if (result.kind === 'not_started') return failed(`${name} could not be started: ${result.reason}`);
  const output = outputOf(result.stdout, result.stderr);
  if (result.kind !== 'exited') {
    const how = {
      timed_out: `did not end within ${spoken(result.durationMs)} and was ended`,
      stopped: `was ended by "stop now" after ${spoken(result.durationMs)}`,
      killed_by_signal: `was killed by somebody else (${result.signal ?? 'signal unknown'})`,
    }[result.kind];
    return unknown(`${name} ${how}; what it would have said is not known`, { output });
  }
  const junit = await judgeJunitOf(args, place);
  const problems = [
    ...outputProblems(args, result, place),
    ...(junit?.problems ?? []),
    ...(args.expect.exit.includes(result.exitCode)
      ? []
      : [`it ended with ${result.exitCode}, expected ${args.expect.exit.join(' or ')}`]),
  ];
  const report = junit === null ? '' : junit.facts;
  if (problems.length > 0) {
    return failed(`${name}: ${problems.join('; ')}`, { output: [...problems, '', output].join('\n') });
  }
  const facts = [...(report === '' ? [] : [report]), ...seen(args, result.stdout)];
  const said = facts.length === 0 ? `ended with ${result.exitCode}, as expected` : listed(facts);
  return passed(`${name}: ${said}`, { output });
}

async function judgeJunitOf(args: CommandArgs, place: CommandPlace): Promise<JunitVerdict | null> {
  const { junit } = args.expect;
  if (junit === undefined) return null;
  return judgeJunit(junit, resolve(place.cwd, junit.file.replaceAll('{work}', place.work)), place.redact);
}

function outputProblems(
  { expect }: CommandArgs,
  { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
  { redact }: CommandPlace,
): string[] {
  const problems: string[] = [];
  const json = expect['stdout-json'];
  if (json !== undefined) {
    const parsed = parseJson(stdout);
    if (parsed.kind === 'not_json') problems.push(`stdout is not JSON (${parsed.why})`);
    else {
      for (const [path, expectation] of Object.entries(json)) {
        const value = valueAt(parsed.document, path);
        const expected = mismatch(expectation, value);
        if (expected !== null) problems.push(`expected ${expected} at ${path}, found ${show(value)}`);
      }
    }
  }
  const must = expect['stdout-matching'];
  if (must !== undefined && !new RegExp(must, 'm').test(stdout))
    problems.push('stdout is not of the form that the runbook expects (stdout-matching)');
  for (const [stream, text] of [
    ['stdout', stdout],
    ['stderr', stderr],
  ] as const) {
    const pattern = stream === 'stdout' ? expect['stdout-not-matching'] : expect['stderr-not-matching'];
    if (pattern === undefined) continue;
    const line = text.split('\n').find((l) => new RegExp(pattern, 'm').test(l));
    if (line !== undefined) problems.push(`${stream} says: ${beginningOf(line.trim(), 200, redact)}`);
  }
  return problems;
}

/** The values that were asked for, as they were found. */
function seen({ expect }: CommandArgs, stdout: string): string[] {
  const parsed = parseJson(stdout);
  if (parsed.kind === 'not_json') return [];
  return Object.keys(expect['stdout-json'] ?? {}).map((path) => {
    const found = show(valueAt(parsed.document, path));
    return found === 'nothing' ? `no ${path}` : `${path} is ${found}`;
  });
}

type Json =
  | { readonly kind: 'json'; readonly document: unknown }
  | { readonly kind: 'not_json'; readonly why: string };

function parseJson(text: string): Json {
  if (text.trim() === '') return { kind: 'not_json', why: 'it is empty' };
  try {
    const document: unknown = parse(text, undefined, { parseNumber: exactNumber });
    return { kind: 'json', document };
  } catch (error) {
    return { kind: 'not_json', why: error instanceof Error ? error.message : String(error) };
  }
}

/** A number with more digits than JavaScript keeps stays as it was written. */
function exactNumber(text: string): unknown {
  const number = Number(text);
  if (Number.isSafeInteger(number) || String(number) === text) return number;
  return /^-?\d+$/.test(text) ? BigInt(text) : new LosslessNumber(text);
}

function outputOf(stdout: string, stderr: string): string {
  return [stdout.trim(), ...(stderr.trim() === '' ? [] : ['--- stderr ---', stderr.trim()])]
    .filter((part) => part !== '')
    .join('\n');
}
