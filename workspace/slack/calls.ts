import type { JsonObject } from './json.js';

/** One call of the Web API, a `response_url` or an upload address. */
export interface Call {
  seq: number;
  /** Milliseconds since 1970. */
  at: number;
  method: string;
  /** Arguments without the token. */
  args: JsonObject;
  /** HTTP status; 0 when the connection was dropped. */
  status: number;
  /** `ok`, or Slack's error code. */
  result: string;
}

/** What the bot has asked for, oldest first. */
export interface CallLog {
  add(call: Omit<Call, 'seq'>): void;
  since(seq: number): Call[];
}

// A benchmark makes many calls; older ones are let go.
const KEEP = 20_000;

export function createCallLog(): CallLog {
  let calls: Call[] = [];
  let seq = 0;
  return {
    add(call) {
      seq += 1;
      calls.push({ seq, ...call });
      if (calls.length > 2 * KEEP) calls = calls.slice(-KEEP);
    },
    since: (after) => calls.filter((c) => c.seq > after),
  };
}
