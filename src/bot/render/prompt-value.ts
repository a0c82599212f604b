import { z } from 'zod';

/** The buttons of a rollback prompt, by action id. */
export const promptActions = {
  retry: 'run_retry',
  skip: 'run_skip',
  rollback: 'run_rollback',
  stop: 'run_stop',
} as const;
export type PromptAction = keyof typeof promptActions;

/**
 * What a button carries: the very failure it was shown for. A press that comes after the step has been
 * retried or skipped names an older attempt and is recognised by that.
 */
export const PromptValue = z.strictObject({
  run: z.int(),
  /** `blockKey` of the block. */
  block: z.string(),
  step: z.string(),
  attempt: z.int(),
});
export type PromptValue = z.infer<typeof PromptValue>;

export function writePromptValue(value: PromptValue): string {
  return JSON.stringify(value);
}

/** @returns null when the text is not a button's value */
export function readPromptValue(text: string): PromptValue | null {
  try {
    const parsed = PromptValue.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** Which button an action id belongs to. */
export function promptActionOf(actionId: string): PromptAction | null {
  const names: readonly PromptAction[] = ['retry', 'skip', 'rollback', 'stop'];
  return names.find((name) => promptActions[name] === actionId) ?? null;
}
