import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiContext } from './api-context.js';
import type { CallLog } from './calls.js';
import { SlackError } from './errors.js';
import type { Faults } from './faults.js';
import { parseArguments, readBody, sendJson } from './http.js';
import type { JsonObject } from './json.js';
import { methods } from './methods/index.js';
import { type Method, requireScope } from './methods/method.js';
import type { RateLimiter } from './rate-limits.js';

/** What a call of the Web API needs beside the world. */
export interface WebApiParts {
  context: ApiContext;
  tokens: { bot: string; app: string };
  limiter: RateLimiter;
  faults: Faults;
  calls: CallLog;
}

interface Answer {
  status: number;
  body: JsonObject;
  headers: Record<string, string>;
}

/**
 * Refuses a call without the right token.
 *
 * @throws SlackError not_authed, invalid_auth or not_allowed_token_type
 */
function authenticate(method: Method, token: string, tokens: WebApiParts['tokens']): void {
  if (method.token === 'none') return;
  if (token === '') throw new SlackError('not_authed');
  if (token !== tokens.bot && token !== tokens.app) throw new SlackError('invalid_auth');
  if (token !== tokens[method.token]) throw new SlackError('not_allowed_token_type');
}

function answer(
  name: string,
  token: string,
  args: JsonObject,
  failure: string | undefined,
  parts: WebApiParts,
): Answer {
  const { context, limiter } = parts;
  const method = methods.get(name);
  const headers: Record<string, string> = {};
  try {
    if (method === undefined) throw new SlackError('unknown_method', { req_method: name });
    authenticate(method, token, parts.tokens);
    headers['x-oauth-scopes'] =
      method.token === 'app' ? 'connections:write' : [...context.manifest.scopes].join(',');
    headers['x-accepted-oauth-scopes'] = method.scopes.join(',');
    if (failure !== undefined && failure !== 'timeout-after-accept') {
      if (failure === 'ratelimited') return tooMany(1, headers);
      throw new SlackError(failure);
    }
    const channel = typeof args.channel === 'string' ? args.channel : '';
    const wait = limiter.take(name, method.limit, channel);
    if (wait !== undefined) return tooMany(wait, headers);
    requireScope(context.manifest, method.scopes);
    return { status: 200, body: { ok: true, ...method.call(args, context) }, headers };
  } catch (error) {
    if (!(error instanceof SlackError)) throw error;
    return { status: 200, body: { ok: false, error: error.code, ...error.details }, headers };
  }
}

function tooMany(seconds: number, headers: Record<string, string>): Answer {
  return {
    status: 429,
    body: { ok: false, error: 'ratelimited' },
    headers: { ...headers, 'retry-after': String(seconds) },
  };
}

/** Answers one request to `/api/METHOD`. */
export async function handleWebApi(
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
  parts: WebApiParts,
): Promise<void> {
  const { token: given, ...args } = await parseArguments(
    request.headers['content-type'] ?? '',
    await readBody(request),
  );
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  const token = bearer ?? (typeof given === 'string' ? given : '');
  const log = (status: number, result: string) =>
    parts.calls.add({ at: parts.context.world.now(), method: name, args, status, result });

  const failure = parts.faults.take(name);
  if (failure === 'drop') {
    log(0, 'dropped');
    request.socket.destroy();
    return;
  }
  const status = /^http_(\d{3})$/.exec(failure ?? '')?.[1];
  if (status !== undefined) {
    log(Number(status), 'http_error');
    response.writeHead(Number(status), { 'content-type': 'text/plain' }).end('upstream error');
    return;
  }
  const { status: code, body, headers } = answer(name, token, args, failure, parts);
  const result = body.ok === true ? 'ok' : String(body.error);
  if (failure === 'timeout-after-accept') {
    log(0, `${result}, then dropped`);
    request.socket.destroy();
    return;
  }
  log(code, result);
  sendJson(response, code, body, headers);
}
