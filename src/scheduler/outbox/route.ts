import type { OutboxConfig, OutboxHandler } from '../../config-jobs.js';
import type { OutboxEvent } from './event.js';

/** Handles an event in this process, without I/O: it runs while the transaction that claimed the event is open. */
export type LocalHandler = (event: OutboxEvent) => void | Promise<void>;

/** Where events of a type go. */
export type Route =
  | { readonly kind: 'local'; readonly handle: LocalHandler }
  | { readonly kind: 'handler'; readonly name: string; readonly handler: OutboxHandler }
  | { readonly kind: 'http' }
  | { readonly kind: 'webhook' }
  | { readonly kind: 'notify' }
  | { readonly kind: 'unknown'; readonly error: string };

export interface Router {
  route(eventType: string): Route;
  /** LIKE patterns of the types that are handled in this process. */
  readonly localTypes: readonly string[];
}

/**
 * Names are exact types, or prefixes with a colon at their end, of which the longest wins. Handlers of this
 * process come before those of the configuration, and both before the built-in `http:`, `webhook:`, `notify:`.
 */
export function createRouter(
  configured: OutboxConfig['handlers'],
  local: Readonly<Record<string, LocalHandler>>,
): Router {
  const inProcess = new Map(Object.entries(local));
  const byConfig = new Map(Object.entries(configured));
  const known = new Map<string, Route>();

  function find(eventType: string): Route {
    const [, handle] = bestOf(inProcess, eventType) ?? [];
    if (handle !== undefined) return { kind: 'local', handle };
    const [name, handler] = bestOf(byConfig, eventType) ?? [];
    if (name !== undefined && handler !== undefined) return { kind: 'handler', name, handler };
    if (eventType.startsWith('http:')) return { kind: 'http' };
    if (eventType.startsWith('webhook:')) return { kind: 'webhook' };
    if (eventType.startsWith('notify:')) return { kind: 'notify' };
    return {
      kind: 'unknown',
      error:
        `Nobody handles events of type ${JSON.stringify(eventType)}. Name it, or its prefix with the colon, ` +
        'under jobs.outbox-processor.handlers of m10.yml, or publish it as http:, webhook: or notify:.',
    };
  }

  return {
    route(eventType) {
      let route = known.get(eventType);
      if (route === undefined) {
        route = find(eventType);
        // Types are few; a publisher that makes one up for each event must not fill the memory.
        if (known.size < 1_000) known.set(eventType, route);
      }
      return route;
    },
    localTypes: [...inProcess.keys()].map(
      (name) => name.replace(/[\\%_]/g, '\\$&') + (name.endsWith(':') ? '%' : ''),
    ),
  };
}

function bestOf<T>(handlers: ReadonlyMap<string, T>, eventType: string): readonly [string, T] | undefined {
  const exact = handlers.get(eventType);
  if (exact !== undefined) return [eventType, exact];
  return [...handlers]
    .filter(([name]) => name.endsWith(':') && eventType.startsWith(name))
    .sort(([a], [b]) => b.length - a.length)[0];
}
