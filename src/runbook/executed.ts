import { z } from 'zod';

/** A statement that a step really sent to its target, in the order in which it was sent. */
export const ExecutedStatement = z.strictObject({
  /** Redacted; a very long one is cut with a note. */
  text: z.string(),
  effect: z.enum(['reads', 'changes', 'unknown']),
  /** Sent outside the step's transaction: a failure later on did not take it back. */
  outside: z.boolean(),
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
});
export type Executed = z.infer<typeof Executed>;

/** What the end of a step says besides its result; ends of steps in older journals have neither. */
export const whatRan = {
  executed: Executed.optional(),
  /** Warnings that are shown wherever the result is, such as statements that nobody approved. */
  notes: z.array(z.string()).optional(),
};

/** What a step that passed on another target of the same run executed there. */
export interface ExecutedElsewhere {
  readonly target: string;
  readonly step: string;
  readonly uses: string;
  readonly with: Readonly<Record<string, unknown>>;
  readonly executed: Executed;
}

const mostStatements = 500;
const longestStatement = 8_000;

/** The list in the size that the journal keeps: redacted first and cut afterwards, so that no cut hides a secret. */
export function keptExecuted(executed: Executed, redact: (text: string) => string): Executed {
  const statements = executed.statements.slice(0, mostStatements).map((each) => {
    const text = redact(each.text);
    const left = text.length - longestStatement;
    return {
      ...each,
      text: left > 0 ? `${text.slice(0, longestStatement)}\n-- … ${left} characters left out here` : text,
    };
  });
  return { ...executed, statements };
}
