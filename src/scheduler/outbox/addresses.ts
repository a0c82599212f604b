import { BlockList, isIPv4, isIPv6 } from 'node:net';

/**
 * Networks that are not the public internet: the special-purpose registries of IANA
 * (https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry), multicast, and the
 * one public address at which a cloud answers its own machines only.
 */
const SPECIAL: readonly (readonly [network: string, bits: number, what: string])[] = [
  ['127.0.0.0', 8, 'this machine'],
  ['::1', 128, 'this machine'],
  ['0.0.0.0', 8, 'this machine'],
  ['::', 128, 'this machine'],
  ['169.254.0.0', 16, 'a link-local address, where clouds serve credentials'],
  ['fe80::', 10, 'a link-local address'],
  ['168.63.129.16', 32, 'a cloud’s service for its own machines'],
  ['10.0.0.0', 8, 'a private address'],
  ['172.16.0.0', 12, 'a private address'],
  ['192.168.0.0', 16, 'a private address'],
  ['fc00::', 7, 'a private address'],
  ['fec0::', 10, 'a private address'],
  ['100.64.0.0', 10, 'a private address of a provider'],
  ['192.0.0.0', 24, 'a reserved address'],
  ['192.0.2.0', 24, 'a reserved address'],
  ['192.88.99.0', 24, 'a reserved address'],
  ['198.18.0.0', 15, 'a reserved address'],
  ['198.51.100.0', 24, 'a reserved address'],
  ['203.0.113.0', 24, 'a reserved address'],
  ['224.0.0.0', 3, 'a multicast or reserved address'],
  ['64:ff9b:1::', 48, 'a reserved address'],
  ['100::', 64, 'a reserved address'],
  ['2001::', 23, 'a reserved address'],
  ['2001:db8::', 32, 'a reserved address'],
  ['2002::', 16, 'an address that wraps another one'],
  ['64:ff9b::', 96, 'an address that wraps another one'],
  ['3fff::', 20, 'a reserved address'],
  ['5f00::', 16, 'a reserved address'],
  ['ff00::', 8, 'a multicast address'],
  ['::', 96, 'an address that wraps another one'],
  ['::ffff:0:0:0', 96, 'an address that wraps another one'],
];

const special = SPECIAL.map(([network, bits, what]) => ({ what, contains: networkOf(network, bits) }));

/** The part of the IPv6 space that is given out for the public internet; the rest is reserved, whatever it becomes. */
const globalUnicast = networkOf('2000::', 3);

/** The interface of a tunnel for IPv4 (ISATAP, RFC 5214) in any network: `…:0:5efe:7f00:1`, `…:200:5efe:7f00:1`. */
const isatap = /:(?:0|200)?:5efe:[0-9a-f]{1,4}:[0-9a-f]{1,4}$/;

/** What kind of an address it is when it is not one of the public internet; null for a public one. */
export function specialAddress(address: string): string | null {
  const known = special.find(({ contains }) => contains(address))?.what;
  if (known !== undefined) return known;
  const own = unwrapped(address);
  if (!isIPv6(own)) return null;
  if (isatap.test(own)) return 'an address that wraps another one';
  return globalUnicast(own) ? null : 'a reserved address';
}

export function isLoopback(address: string): boolean {
  return loopback(address);
}

const loopback = (() => {
  const four = networkOf('127.0.0.0', 8);
  const six = networkOf('::1', 128);
  return (address: string) => four(address) || six(address);
})();

/** @returns null when it is no network, such as `10.0.0.0/99` */
export function parseNetwork(text: string): ((address: string) => boolean) | null {
  const [network = '', bits = ''] = text.split('/');
  const most = isIPv4(network) ? 32 : isIPv6(network) ? 128 : -1;
  return /^\d+$/.test(bits) && Number(bits) <= most ? networkOf(network, Number(bits)) : null;
}

function networkOf(network: string, bits: number): (address: string) => boolean {
  const list = new BlockList();
  list.addSubnet(network, bits, family(network));
  return (address) => list.check(unwrapped(address), family(unwrapped(address)));
}

function family(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}

/** An IPv4 address that is written as an IPv6 one (`::ffff:127.0.0.1`, `::ffff:7f00:1`) is the IPv4 one. */
export function unwrapped(address: string): string {
  if (!isIPv6(address)) return address;
  // The URL class writes addresses in their one short form.
  const short = new URL(`http://[${address.replace(/%.*$/, '')}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short) ?? [];
  if (high === undefined || low === undefined) return short;
  const bytes = [high, low].flatMap((part) => {
    const value = Number.parseInt(part, 16);
    return [value >> 8, value & 255];
  });
  return bytes.join('.');
}
