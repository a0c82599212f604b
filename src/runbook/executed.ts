import { z } from 'zod';

/** A statement that a step really sent to its target, in the order in which it was sent. */
export const ExecutedStatement = z.strictObject({
  /** Redacted; a very long one is cut with a note. */
  text: z.string(),
  effect: z.enum(['reads', 'changes', 'unknown']),
  /** Sent outside the step's transaction: a failure later on did not take it back. */
  outside: z.boolean(),
  /** Why a query may do more than read, such as a view that it reads. */
  note: z.string().optional(),
  /** Names the statement whatever its spelling, so that two lists can be compared although texts are cut. */
  fingerprint: z.string().optional(),
});
export type ExecutedStatement = z.infer<typeof ExecutedStatement>;

/** What a step really executed, as its own session reported it. */
export const Executed = z.strictObject({
  statements: z.array(ExecutedStatement),
  /** How many were sent in all: the list has the first ones only when there were very many. */
  count: z.int().min(0),
  /** Digest of all statements, in order and uncut. */
  sha256: z.string(),
  /** Where the whole list lies, relative to the bot's state directory, when this one is cut. */
  file: z.string().optional(),
  /** More was sent than could be recorded at all. */
  partial: z.boolean().optional(),
});
export type Executed = z.infer<typeof Executed>;

/** What the end of a step says besides its result; ends of steps in older journals have neither. */
export const whatRan = {
  executed: Executed.optional(),
  /** Warnings that are shown wherever the result is, such as statements that nobody approved. */
  notes: z.array(z.string()).optional(),
};

/** What a step that passed, or was tried and then skipped, executed on another target of the same run. */
export interface ExecutedElsewhere {
  readonly target: string;
  readonly step: string;
  readonly uses: string;
  readonly with: Readonly<Record<string, unknown>>;
  /** Null: nothing was recorded. */
  readonly executed: Executed | null;
}

const mostStatements = 500;
const longestStatement = 8_000;

/** The list as it may be kept: redacted, and nothing left out. */
export function redactedExecuted(executed: Executed, redact: (text: string) => string): Executed {
  const statements = executed.statements.map((each) => ({
    ...each,
    text: redact(each.text),
    ...(each.note === undefined ? {} : { note: redact(each.note) }),
  }));
  return { ...executed, statements };
}

/** A redacted list in the size that the journal keeps; `cut` says whether anything was left out. */
export function journalExecuted(redacted: Executed): { readonly kept: Executed; readonly cut: boolean } {
  const few = redacted.statements.slice(0, mostStatements);
  const statements = few.map((each) => {
    const left = each.text.length - longestStatement;
    if (left <= 0) return each;
    return {
      ...each,
      text: `${each.text.slice(0, longestStatement)}\n-- … ${left} characters left out here`,
    };
  });
  const cut =
    few.length < redacted.statements.length || few.some(({ text }) => text.length > longestStatement);
  return { kept: { ...redacted, statements }, cut };
}

/**
 * A whole list as it was kept beside the journal.
 * @param digest SHA-256 in hex, by which the journal knows the list
 * @returns null when it is not the one of this record
 */
export function wholeExecuted(
  executed: Executed,
  text: string,
  digest: (text: string) => string,
): Executed | null {
  const read = z.array(ExecutedStatement).safeParse(parsed(text));
  if (!read.success || read.data.length !== executed.count) return null;
  const found = digest(read.data.map(({ fingerprint }) => fingerprint ?? '').join('\n'));
  return found === executed.sha256 ? { ...executed, statements: read.data } : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
