import { lookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { Agent, Pool } from 'undici';
import { shortLine } from '../../excerpt.js';
import { createRedactor } from '../../redact.js';
import { done, failed, type OutboxEvent, type Try } from './event.js';
import { exchange } from './exchange.js';
import { createHostGuard, portOf } from './hosts.js';
import type { HttpRequest } from './request.js';
import { signatureHeaders } from './signature.js';
import type { Stop } from './stop.js';

/** What a name leads to. */
export type Resolve = (
  host: string,
) => Promise<readonly { readonly address: string; readonly family: number }[]>;

export interface HttpSenderOptions {
  readonly allow: readonly string[];
  /** Connections to one receiver. */
  readonly concurrency: number;
  /** For a whole delivery, from the look-up to the end of the answer, ms. */
  readonly timeoutMs: number;
  readonly secret: string | undefined;
  readonly redact: (text: string) => string;
  /** ms since the epoch */
  readonly now: () => number;
  /** The system's own look-up when not given. */
  readonly resolve?: Resolve | undefined;
}

export interface HttpSender {
  /**
   * Delivers by HTTP: a status below 300, 409 and 422 are success (the receiver has it, or never will take it); a
   * redirect is not followed. Never throws.
   *
   * Every request carries `Idempotency-Key: <event id>`, the same on each try. With a secret it is signed as
   * `signatureHeaders` says.
   */
  send(event: OutboxEvent, what: HttpRequest, stop: Stop): Promise<Try>;
  close(): Promise<void>;
}

/** How much of a refusal is read and shown. */
const SHOWN_BYTES = 2_048;
const SHOWN_CHARACTERS = 300;

const STOPPED = 'Ended on the way: the processor stopped.';

function delivered(status: number): boolean {
  return status < 300 || status === 409 || status === 422;
}

/** How much of an answer is worth keeping. */
function kept(status: number): number {
  return delivered(status) ? 0 : SHOWN_BYTES;
}

export function createHttpSender(options: HttpSenderOptions): HttpSender {
  const guard = createHostGuard(options.allow);
  const resolve = options.resolve ?? ((host: string) => lookup(host, { all: true, verbatim: true }));

  /**
   * Resolves a name for a connection and gives out what was judged, so that no second look-up can answer
   * otherwise. A connection that is kept open stays with the address it was made to.
   */
  const lookupFor =
    (port: number): LookupFunction =>
    (host, wanted, callback) => {
      resolve(host).then(
        (found) => {
          const refused = guard.refuseAddresses(
            host,
            port,
            found.map(({ address }) => address),
          );
          const [first] = found;
          if (refused !== null || first === undefined) {
            callback(new Refused(refused ?? `${host} leads to no address`), '', 0);
          } else if (wanted.all === true) callback(null, [...found]);
          else callback(null, first.address, first.family);
        },
        (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), '', 0),
      );
    };

  const agent = new Agent({
    connections: options.concurrency,
    pipelining: 1,
    factory: (origin, pool) =>
      new Pool(origin, {
        ...pool,
        connect: { timeout: options.timeoutMs, lookup: lookupFor(portOf(new URL(origin))) },
      }),
  });

  async function send(event: OutboxEvent, what: HttpRequest, stop: Stop): Promise<Try> {
    const refused = guard.refuseUrl(what.url);
    if (refused !== null) return failed(sentence(refused));
    const late = `${what.url.host} did not answer within ${options.timeoutMs / 1000} s.`;
    const going = exchange(agent, { ...what, headers: headersOf(event, what), kept });
    const timer = setTimeout(() => going.end(new Ended(late)), options.timeoutMs);
    const release = stop.onStop(() => going.end(new Ended(STOPPED)));
    try {
      const { status, location, text } = await going.answer;
      return delivered(status) ? done : failed(refusal(what, status, location, text));
    } catch (error) {
      return failed(trouble(what, error));
    } finally {
      clearTimeout(timer);
      release();
    }
  }

  function headersOf(event: OutboxEvent, what: HttpRequest): Record<string, string> {
    const { secret, now } = options;
    const signed = secret === undefined ? {} : signatureHeaders(secret, what, event.id, now());
    return { ...what.headers, 'idempotency-key': event.id, ...signed };
  }

  /** A receiver may repeat what it was sent, and that may hold credentials. */
  function refusal(what: HttpRequest, status: number, location: string | null, text: string): string {
    const secrets = [what.url.pathname, what.url.search, ...what.url.searchParams.values()];
    const sent = [...secrets, ...Object.values(what.headers), options.secret ?? ''].filter(
      (part) => part.length >= 6,
    );
    const { redact } = createRedactor(sent);
    const shown = shortLine(text, SHOWN_CHARACTERS, (part) => options.redact(redact(part)));
    const says = shown === '' ? '.' : `: ${shown}`;
    if (status >= 400) return `${what.url.host} answered ${status}${says}`;
    const to =
      location !== null && URL.canParse(location, what.url.href) ? new URL(location, what.url).host : null;
    return `${what.url.host} answered ${status}${to === null ? '' : ` and points to ${to}`}: redirects are not followed. Publish the final URL.`;
  }

  return { send, close: () => agent.destroy() };
}

/** We ended it ourselves; the message says why. */
class Ended extends Error {
  override readonly name = 'Ended';
}

class Refused extends Error {
  override readonly name = 'Refused';
}

function trouble(what: HttpRequest, error: unknown): string {
  const { host } = what.url;
  if (error instanceof Ended) return error.message;
  if (error instanceof Refused) return sentence(error.message);
  if (error instanceof AggregateError) {
    return `${host} could not be reached: ${error.errors.map(messageOf).join('; ')}`;
  }
  return `${host} could not be reached: ${messageOf(error)}`;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return error.message || code || error.name;
}

function sentence(text: string): string {
  return `Not sent: ${text}.`;
}
