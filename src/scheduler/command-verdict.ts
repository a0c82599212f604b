import { z } from 'zod';
import type { CommandArgs } from '../checks/command/arguments.js';
import { beginningOf } from '../excerpt.js';

/** What a program of the team said, beyond its exit code, which proves little. */
export type Said =
  | { readonly kind: 'nothing_wrong'; readonly counts: Readonly<Record<string, number>> }
  /** It did no work, and says why. */
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'wrong'; readonly why: string; readonly advice: string };

const Item = z.looseObject({
  status: z.unknown().optional(),
  reason: z.unknown().optional(),
  success: z.unknown().optional(),
  skipped: z.unknown().optional(),
  error: z.unknown().optional(),
});
type Item = z.infer<typeof Item>;

const troubleLine = /^.*\b(?:ERROR|CRITICAL|FATAL)\b.*$|^Traceback \(most recent call last\):/m;

/**
 * Reads what a program printed, for the ends that look like success and are none: skipped work, errors on stderr
 * beside counts of zero, and an empty object, which `refresh_matview --status` prints without a database too. An
 * expectation of the configuration about stderr takes the place of the rule about it.
 */
export function readSaid(
  args: CommandArgs,
  stdout: string,
  stderr: string,
  redact: (text: string) => string,
): Said {
  const trouble = troubleLine.exec(stderr)?.[0].trim();
  if (trouble !== undefined && args.expect['stderr-not-matching'] === undefined) {
    return {
      kind: 'wrong',
      why: `it reports an error on stderr although it ended well: ${beginningOf(trouble, 300, redact)}`,
      advice: 'Counts of zero beside such a line mean that nothing was done. Look at what the line names.',
    };
  }
  const document = parsed(stdout);
  if (document === undefined) {
    if (!args.argv.includes('--json')) return { kind: 'nothing_wrong', counts: {} };
    return {
      kind: 'wrong',
      why: 'it was to print JSON and printed none',
      advice: 'Run the program by hand on the machine of the bot and look at what it prints.',
    };
  }
  const items = itemsOf(document);
  if (items.length === 0 || items.every((item) => Object.keys(item).length === 0)) {
    return {
      kind: 'wrong',
      why: 'it printed an empty answer, as it does without a database too, so that nothing is proved',
      advice: 'Let the job run the work itself, and not a report about it.',
    };
  }
  const failed = items.find(
    (item) => item.success === false || item.status === 'failed' || item.status === 'error',
  );
  if (failed !== undefined) {
    const why =
      typeof failed.error === 'string' ? failed.error : (text(failed.reason) ?? 'it does not say why');
    return {
      kind: 'wrong',
      why: `it says that it failed: ${why}`,
      advice: 'Look at the output of the program.',
    };
  }
  const skipped = items.find((item) => item.status === 'skipped' || item.skipped === true);
  if (skipped !== undefined)
    return { kind: 'skipped', reason: text(skipped.reason) ?? 'it does not say why' };
  return { kind: 'nothing_wrong', counts: countsOf(items) };
}

const Results = z.looseObject({ results: z.record(z.string(), z.unknown()) });

/** One answer, a list of them, or one of several parts, as a refresh of views gives: `{"results": {VIEW: {…}}}`. */
function itemsOf(document: unknown): Item[] {
  const results = Results.safeParse(document);
  const parts = results.success ? Object.values(results.data.results) : [];
  return [...(Array.isArray(document) ? document : [document]), ...parts].flatMap((one): Item[] => {
    const item = Item.safeParse(one);
    return item.success ? [item.data] : [];
  });
}

function parsed(stdout: string): unknown {
  try {
    const document: unknown = JSON.parse(stdout);
    return document;
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The figures at the top of the answer; those of several answers are added up. */
function countsOf(items: readonly Item[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) {
    for (const [name, value] of Object.entries(item)) {
      if (typeof value === 'number') counts[name] = (counts[name] ?? 0) + value;
    }
  }
  return counts;
}
