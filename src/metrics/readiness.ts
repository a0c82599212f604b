import { setTimeout as sleep } from 'node:timers/promises';

/** Whether one part of the bot can do its work now. */
export interface Part {
  readonly part: string;
  readonly ready: boolean;
  /** What is wrong, or what people must know of a part that does its work all the same; null when there is nothing. */
  readonly why: string | null;
}
/** What a part answers: what keeps it from its work, what somebody should know, or nothing. */
export type PartAnswer = string | { readonly warning: string } | null;

export type Readiness = () => Promise<readonly Part[]>;

/** Longest wait for a part, ms. */
const patienceMs = 3_000;

/**
 * Asks every part at once.
 * @param parts by name; each answers what is wrong, or null, and may throw
 * @param notes the same for what people must know of and what does not make a replica unready
 */
export function createReadiness(
  parts: Readonly<Record<string, () => Promise<PartAnswer> | PartAnswer>>,
  redact: (text: string) => string,
  notes: Readonly<Record<string, () => string | null>> = {},
): Readiness {
  const noted = () =>
    Object.entries(notes).flatMap(([part, ask]): Part[] => {
      const why = ask();
      return why === null ? [] : [{ part, ready: true, why: redact(why) }];
    });
  return async () => [
    ...(await Promise.all(
      Object.entries(parts).map(async ([part, ask]): Promise<Part> => {
        const answer = await within(async () => ask());
        if (answer === null) return { part, ready: true, why: null };
        const warns = typeof answer !== 'string';
        return { part, ready: warns, why: redact(warns ? answer.warning : answer) };
      }),
    )),
    ...noted(),
  ];
}

async function within(ask: () => Promise<PartAnswer>): Promise<PartAnswer> {
  const done = new AbortController();
  const answer = ask()
    .catch((error: unknown) => (error instanceof Error ? error.message || error.name : String(error)))
    .finally(() => done.abort());
  const late = sleep(patienceMs, `no answer within ${patienceMs} ms`, { signal: done.signal }).catch(
    () => answer,
  );
  return Promise.race([answer, late]);
}
