import type { IncomingMessage, ServerResponse } from 'node:http';
import { SlackError } from './errors.js';
import { parseArguments, parseUpload, readBody, sendJson } from './http.js';
import { respond } from './responses.js';
import type { WebApiParts } from './web-api.js';

/** Answers a request to a `response_url`. A dead address is 404, a bad message 400. */
export async function handleResponseUrl(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  { context: { world }, faults, calls }: WebApiParts,
): Promise<void> {
  const args = await parseArguments('application/json', await readBody(request));
  const target = world.responses.get(path);
  const log = (status: number, result: string) =>
    calls.add({ at: world.now(), method: 'response_url', args, status, result });
  const failure = faults.take('response_url');
  try {
    if (failure !== undefined) throw new SlackError(failure);
    if (target === undefined) throw new SlackError('expired_url');
    respond(world, target, args);
    log(200, 'ok');
    sendJson(response, 200, { ok: true });
  } catch (error) {
    if (!(error instanceof SlackError)) throw error;
    const gone = error.code === 'expired_url' || error.code === 'used_url';
    log(gone ? 404 : 400, error.code);
    sendJson(response, gone ? 404 : 400, { ok: false, error: error.code, ...error.details });
  }
}

/** Takes the bytes of a file for an address from `files.getUploadURLExternal`. */
export async function handleUpload(
  rest: string,
  request: IncomingMessage,
  response: ServerResponse,
  { context: { world }, calls }: WebApiParts,
): Promise<void> {
  const body = await readBody(request);
  const content = await parseUpload(request.headers['content-type'] ?? '', body);
  const file = world.files.get(rest.replace(/^v1\//, ''));
  const usable = file !== undefined && file.state === 'announced' && content.length === file.length;
  const status = usable ? 200 : 400;
  calls.add({
    at: world.now(),
    method: 'upload',
    args: { file: file?.id ?? '', bytes: content.length },
    status,
    result: usable ? 'ok' : 'refused',
  });
  if (usable) {
    file.content = content;
    file.state = 'uploaded';
  }
  response
    .writeHead(status, { 'content-type': 'text/plain' })
    .end(usable ? `OK - ${content.length}` : 'Bad Request');
}
