/**
 * How a call is made to fail: `timeout-after-accept` carries it out and then drops the connection, so that the
 * caller cannot know; `drop` drops it before; `ratelimited` is HTTP 429; `http_NNN` is that status; everything
 * else is an error code of the Web API.
 */
export type Failure = string;

/** Failures that wait for the next calls of a method, and the outage switch. */
export interface Faults {
  failNext(method: string, failure: Failure, count: number): void;
  /** The failure of this call, if one waits for it. */
  take(method: string): Failure | undefined;
  /** `503` answers with that status, `drop` cuts every connection; undefined when there is no outage. */
  outage: '503' | 'drop' | undefined;
}

export function createFaults(): Faults {
  const waiting = new Map<string, Failure[]>();
  return {
    failNext(method, failure, count) {
      const queue = waiting.get(method) ?? [];
      waiting.set(method, [...queue, ...Array.from({ length: count }, () => failure)]);
    },
    take: (method) => waiting.get(method)?.shift(),
    outage: undefined,
  };
}
