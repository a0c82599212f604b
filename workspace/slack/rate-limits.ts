import type { Limit } from './methods/method.js';

/** How strictly calls are counted: as Slack does, not at all, or with chosen numbers. */
export type RateLimits =
  | 'slack'
  | 'off'
  | {
      /** Calls a minute, by method name; a method not named keeps Slack's number. */
      perMinute?: Record<string, number> | undefined;
      /** chat.postMessage: sustained messages a second in one channel (Slack: 1). */
      postsPerSecond?: number | undefined;
      /** chat.postMessage: messages in hand after a pause (here 5; Slack says "short bursts"). */
      postBurst?: number | undefined;
    };

/** Counts calls and says when one comes too soon. */
export interface RateLimiter {
  set(limits: RateLimits): void;
  /** Counts a call. The result is the seconds to wait when the call is refused, otherwise undefined. */
  take(method: string, limit: Limit, channel: string): number | undefined;
}

const MINUTE = 60_000;

/** @param now - the clock, in milliseconds */
export function createRateLimiter(initial: RateLimits, now: () => number): RateLimiter {
  let limits = initial;
  const calls = new Map<string, number[]>();
  const buckets = new Map<string, { level: number; at: number }>();

  function perMinute(method: string, most: number): number | undefined {
    const recent = (calls.get(method) ?? []).filter((at) => at > now() - MINUTE);
    calls.set(method, recent);
    if (recent.length < most) {
      recent.push(now());
      return undefined;
    }
    const oldest = recent[recent.length - most] ?? now();
    return Math.max(1, Math.ceil((oldest + MINUTE - now()) / 1000));
  }

  function perChannel(channel: string, rate: number, burst: number): number | undefined {
    const bucket = buckets.get(channel) ?? { level: burst, at: now() };
    buckets.set(channel, bucket);
    bucket.level = Math.min(burst, bucket.level + ((now() - bucket.at) / 1000) * rate);
    bucket.at = now();
    if (bucket.level >= 1) {
      bucket.level -= 1;
      return undefined;
    }
    return Math.max(1, Math.ceil((1 - bucket.level) / rate));
  }

  return {
    set(next) {
      limits = next;
      calls.clear();
      buckets.clear();
    },
    take(method, limit, channel) {
      if (limits === 'off' || limit.kind === 'none') return undefined;
      const own = limits === 'slack' ? {} : limits;
      const chosen = own.perMinute?.[method];
      if (chosen !== undefined) return perMinute(method, chosen);
      switch (limit.kind) {
        case 'per_minute':
          return perMinute(method, limit.calls);
        case 'per_channel':
          return perChannel(channel, own.postsPerSecond ?? 1, own.postBurst ?? 5);
      }
    },
  };
}
