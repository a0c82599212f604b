import { type Check, type Finding, problem } from './finding.js';

/**
 * Runs all checks at once. A check that throws or does not end within `timeoutMs` is a problem of its own and
 * holds up no other; the findings come in the order of the checks.
 */
export async function runTogether(checks: readonly Check[], timeoutMs: number): Promise<Finding[]> {
  return (await Promise.all(checks.map((check) => within(check, timeoutMs)))).flat();
}

async function within(check: Check, timeoutMs: number): Promise<readonly Finding[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly Finding[]>((resolve) => {
    const facts = `no answer within ${Math.round(timeoutMs / 1_000)} s`;
    const todo = 'see whether it hangs or this machine is overloaded, then run the doctor again';
    timer = setTimeout(() => resolve([problem(check.what, facts, todo)]), timeoutMs);
  });
  try {
    return await Promise.race([check.run(), late]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [
      problem(
        check.what,
        `could not be looked at: ${why}`,
        'this was not foreseen; the cause stands in the message',
      ),
    ];
  } finally {
    clearTimeout(timer);
  }
}
