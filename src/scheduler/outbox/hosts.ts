import { isIP } from 'node:net';
import { isLoopback, parseNetwork, specialAddress, unwrapped } from './addresses.js';

/**
 * Which hosts events may be sent to. An entry of the list is a name (`hooks.example.com`), a suffix
 * (`*.example.com`: any name below it, not itself), an address (`10.0.0.5`, `[fd00::5]`), each with a port or for
 * every port, or a network (`10.20.0.0/16`).
 *
 * A name that is on the list may lead to public addresses. To any other address (this machine, private, link-local
 * such as a cloud's metadata service, reserved) it may lead only when that address is on the list as well, by
 * itself or by its network; whoever answers for the name's DNS cannot open the inside of a network that way. The
 * one exception is the name `localhost`, which may lead to this machine when it is on the list itself. When a name
 * leads to several addresses, all of them must be fine.
 */
export interface HostGuard {
  /** Why nothing may be sent to this URL; null when it may, as far as can be told without a look-up. */
  refuseUrl(url: URL): string | null;
  /** Why nothing may be sent to one of the addresses that a host's name leads to; null when all are fine. */
  refuseAddresses(host: string, port: number, addresses: readonly string[]): string | null;
}

interface Entry {
  readonly name: string;
  readonly port: number | null;
}

export function createHostGuard(allow: readonly string[]): HostGuard {
  const networks = allow.flatMap((text) => (text.includes('/') ? [parseNetwork(text)] : [])).filter(isSet);
  const entries = allow.flatMap((text) => (text.includes('/') ? [] : [entryOf(text)])).filter(isSet);

  const listed = (host: string, port: number): boolean =>
    entries.some(
      (entry) =>
        (entry.port === null || entry.port === port) &&
        (entry.name.startsWith('*.') && isIP(host) === 0
          ? host.endsWith(entry.name.slice(1)) && host.length >= entry.name.length
          : entry.name === host),
    );
  const addressListed = (address: string, port: number): boolean =>
    listed(unwrapped(address), port) || networks.some((contains) => contains(address));

  return {
    refuseUrl(url) {
      if (url.protocol !== 'http:' && url.protocol !== 'https:') {
        return `the URL begins with ${url.protocol}, expected http: or https:`;
      }
      if (url.username !== '' || url.password !== '') {
        return 'the URL holds a user or password; put them into a header';
      }
      const host = hostOf(url);
      const port = portOf(url);
      const fine = isIP(host) === 0 ? listed(host, port) : addressListed(host, port);
      return fine
        ? null
        : `${url.host} is not on the allow list (jobs.outbox-processor.http.allow of m10.yml)`;
    },
    refuseAddresses(host, port, addresses) {
      if (addresses.length === 0) return `${host} leads to no address`;
      for (const address of addresses) {
        const what = specialAddress(address);
        const fine =
          what === null ||
          addressListed(address, port) ||
          (host === 'localhost' && listed(host, port) && isLoopback(address));
        if (!fine) {
          return `${host} leads to ${address}, ${what}, which is not on the allow list (jobs.outbox-processor.http.allow of m10.yml)`;
        }
      }
      return null;
    },
  };
}

/** The host of a URL without the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return unwrapped(url.hostname.replace(/^\[(.*)\]$/, '$1'));
}

export function portOf(url: URL): number {
  return Number(url.port || (url.protocol === 'https:' ? 443 : 80));
}

function entryOf(text: string): Entry | null {
  const [, six, name, port] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
  const host = six ?? name;
  if (host === undefined) return null;
  return { name: unwrapped(host), port: port === undefined ? null : Number(port) };
}

function isSet<T>(value: T | null): value is T {
  return value !== null;
}
