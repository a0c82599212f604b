import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { isNoAnswer } from '../bot/asking.js';

/** One answer of the Web API with what its headers tell, which the bot's own client does not keep. */
export type SlackAnswer =
  | {
      readonly kind: 'ok';
      readonly body: unknown;
      /** Scopes of the token; null when Slack did not say. */
      readonly scopes: readonly string[] | null;
      /** How far this machine's clock is ahead of Slack's, ms; null when Slack did not say. */
      readonly clockAheadMs: number | null;
    }
  | { readonly kind: 'refused'; readonly code: string; readonly needed: string | null }
  | { readonly kind: 'unreachable'; readonly why: string };

export type CallSlack = (
  method: string,
  token: string,
  args?: Readonly<Record<string, string>>,
) => Promise<SlackAnswer>;

const Body = z.looseObject({ ok: z.boolean(), error: z.string().optional(), needed: z.string().optional() });

/** Calls Slack by plain HTTP. A rate limit is waited out as long as `timeoutMs` allows. */
export function createSlackCalls(options: {
  readonly apiUrl: string;
  /** Milliseconds for a call with all its waiting. */
  readonly timeoutMs: number;
  /** ms since the epoch */
  readonly now: () => number;
}): CallSlack {
  const base = options.apiUrl.endsWith('/') ? options.apiUrl : `${options.apiUrl}/`;
  return async (method, token, args = {}) => {
    const signal = AbortSignal.timeout(options.timeoutMs);
    try {
      for (;;) {
        const before = options.now();
        const response = await fetch(new URL(method, base), {
          method: 'POST',
          headers: { authorization: `Bearer ${token}` },
          body: new URLSearchParams(args),
          signal,
        });
        const after = options.now();
        const text = await response.text();
        if (response.status === 429) {
          const seconds = Number(response.headers.get('retry-after') ?? '1');
          await sleep((Number.isFinite(seconds) ? seconds : 1) * 1_000, undefined, { signal });
          continue;
        }
        if (!response.ok) return { kind: 'unreachable', why: `HTTP status ${response.status}` };
        const body = Body.parse(JSON.parse(text));
        if (!body.ok) {
          const code = body.error ?? 'no reason given';
          if (isNoAnswer(code)) return { kind: 'unreachable', why: `it answered ${code}` };
          return { kind: 'refused', code, needed: body.needed ?? null };
        }
        const scopes = response.headers.get('x-oauth-scopes');
        return {
          kind: 'ok',
          body,
          scopes: scopes === null ? null : scopes.split(',').map((scope) => scope.trim()),
          clockAheadMs: aheadOf(response.headers.get('date'), (before + after) / 2),
        };
      }
    } catch (error) {
      return { kind: 'unreachable', why: whyOf(error, options.timeoutMs) };
    }
  };
}

function aheadOf(date: string | null, measuredAt: number): number | null {
  const at = date === null ? Number.NaN : Date.parse(date);
  // The header has whole seconds, cut: on average half a second is missing.
  return Number.isNaN(at) ? null : measuredAt - (at + 500);
}

function whyOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError' || error.name === 'AbortError') {
    return `no answer within ${Math.round(timeoutMs / 1_000)} s`;
  }
  if (error instanceof SyntaxError || error instanceof z.ZodError) return 'the answer is not one of Slack';
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  const code = 'code' in cause ? String(cause.code) : '';
  return cause.message || code || error.message;
}
