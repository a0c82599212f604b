import { z } from 'zod';
import type { ApiContext } from '../api-context.js';
import { rejected, SlackError } from '../errors.js';
import type { JsonObject } from '../json.js';
import { tryParse } from '../json.js';
import type { Manifest } from '../manifest.js';

/** How often a method may be called. */
export type Limit =
  | { kind: 'none' }
  | { kind: 'per_minute'; calls: number }
  /** About one a second, counted for each channel, with a few in hand. */
  | { kind: 'per_channel' };

/** Slack's tiers, in calls a minute. */
export const TIER = {
  two: { kind: 'per_minute', calls: 20 },
  three: { kind: 'per_minute', calls: 50 },
  four: { kind: 'per_minute', calls: 100 },
} as const satisfies Record<string, Limit>;

/** One method of the Web API. */
export interface Method {
  name: string;
  token: 'bot' | 'app' | 'none';
  /** The caller needs one of these; an empty list means that any token will do. */
  scopes: readonly string[];
  limit: Limit;
  /** @throws SlackError for every answer that is not ok */
  call(args: JsonObject, context: ApiContext): JsonObject;
}

/** Declares a method: its arguments are parsed before `run` sees them. */
export function method<S extends z.ZodType>(
  name: string,
  spec: {
    token?: Method['token'];
    scopes?: readonly string[];
    limit: Limit;
    args: S;
    run(args: z.output<S>, context: ApiContext): JsonObject;
  },
): Method {
  return {
    name,
    token: spec.token ?? 'bot',
    scopes: spec.scopes ?? [],
    limit: spec.limit,
    call(raw, context) {
      const parsed = spec.args.safeParse(raw);
      if (!parsed.success) throw badArguments(parsed.error);
      return spec.run(parsed.data, context);
    },
  };
}

function badArguments(error: z.ZodError): SlackError {
  return rejected(
    'invalid_arguments',
    error.issues.map((issue) => {
      const at = issue.path.join('/');
      const missing = issue.code === 'invalid_type' && issue.message.includes('received undefined');
      return missing ? `missing required field: ${at}` : `${issue.message} [json-pointer:/${at}]`;
    }),
  );
}

/** Refuses with `missing_scope` unless the app has at least one of the scopes. */
export function requireScope(manifest: Manifest, scopes: readonly string[]): void {
  if (scopes.length === 0 || scopes.some((s) => manifest.scopes.has(s))) return;
  throw new SlackError('missing_scope', {
    needed: scopes.join(','),
    provided: [...manifest.scopes].join(','),
  });
}

/** A string argument; numbers are taken too, as in a form. */
export const str = z.union([z.string(), z.number().transform(String)]);

/** A boolean argument: forms carry true, false, 1 and 0 as text. */
export const bool = z.union([
  z.boolean(),
  z.enum(['true', 'false', '1', '0', '']).transform((v) => v === 'true' || v === '1'),
]);

/** A whole number, possibly as text. */
export const int = z.coerce.number().int();

/** A JSON argument: forms carry it as text. Text that is not JSON stays text, for the method to refuse. */
export const json = z.unknown().transform((value) => {
  if (typeof value !== 'string') return value;
  const parsed = tryParse(value);
  return parsed === undefined ? value : parsed;
});
