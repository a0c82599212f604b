import type { Processes } from '../../clients/process.js';
import type { TargetConfig } from '../../config.js';
import type { OutboxHandler } from '../../config-jobs.js';
import { failed, type OutboxEvent, type Try } from './event.js';
import type { HttpSender } from './http.js';
import { type Notice, sendNotice } from './notify.js';
import { runProgram } from './program.js';
import { type Asked, type HttpRequest, handlerRequest, httpRequest, webhookRequest } from './request.js';
import type { Router } from './route.js';
import type { Stop } from './stop.js';

export interface DeliverDeps {
  readonly router: Router;
  readonly http: HttpSender;
  readonly processes: Processes;
  readonly target: TargetConfig;
  /** Channels that events may name; the first is where they go without one. */
  readonly channels: readonly [string, ...string[]];
  readonly notice: (notice: Notice) => Promise<void>;
  readonly redact: (text: string) => string;
}

export type Deliver = (event: OutboxEvent, stop: Stop) => Promise<Try>;

/** `last_error` is read by people in one line. */
const LONGEST_ERROR = 600;

/** One try of one event, where its type says. Never throws: what goes wrong is the event's error. */
export function createDeliver(deps: DeliverDeps): Deliver {
  return async (event, stop) => {
    let end: Try;
    try {
      end = await attempt(deps, event, stop);
    } catch (error) {
      end = failed(error instanceof Error ? error.message : String(error));
    }
    return end.kind === 'failed' ? failed(errorText(deps.redact(end.error))) : end;
  };
}

async function attempt(deps: DeliverDeps, event: OutboxEvent, stop: Stop): Promise<Try> {
  const route = deps.router.route(event.eventType);
  switch (route.kind) {
    case 'http':
      return sendAsked(deps, event, httpRequest(event), stop);
    case 'webhook':
      return sendAsked(deps, event, webhookRequest(event), stop);
    case 'notify':
      return sendNotice(event, deps.channels, deps.notice, deps.redact);
    case 'handler':
      return handle(deps, event, route.handler, stop);
    case 'local':
      // The claims ask for other types, so only a type that the two of them read differently comes here.
      return failed('It is handled in this process, and was claimed for delivery.');
    case 'unknown':
      return failed(route.error);
  }
}

async function sendAsked(
  deps: DeliverDeps,
  event: OutboxEvent,
  asked: Asked<HttpRequest>,
  stop: Stop,
): Promise<Try> {
  if (asked.kind === 'poison') return failed(`The payload cannot be used: ${asked.why}`);
  return deps.http.send(event, asked.value, stop);
}

async function handle(
  deps: DeliverDeps,
  event: OutboxEvent,
  handler: OutboxHandler,
  stop: Stop,
): Promise<Try> {
  return 'url' in handler
    ? deps.http.send(event, handlerRequest(handler.url, event), stop)
    : runProgram(deps, handler, event, stop);
}

/** One line that PostgreSQL takes, which knows no NUL in a text. */
export function errorText(text: string): string {
  const line = text.replaceAll('\0', '').replace(/\s+/g, ' ').trim();
  return line.length > LONGEST_ERROR ? `${line.slice(0, LONGEST_ERROR - 1)}…` : line;
}
