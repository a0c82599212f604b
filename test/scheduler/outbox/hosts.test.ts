import { expect, test } from 'vitest';
import { createHostGuard } from '../../../src/scheduler/outbox/hosts.js';

const may = (allow: string[], url: string) => createHostGuard(allow).refuseUrl(new URL(url)) === null;
const mayReach = (allow: string[], host: string, port: number, ...addresses: string[]) =>
  createHostGuard(allow).refuseAddresses(host, port, addresses) === null;

test('an entry is a host, with a port or for every port', () => {
  expect(may(['hooks.example.com'], 'https://hooks.example.com/x')).toBe(true);
  expect(may(['hooks.example.com'], 'http://HOOKS.example.com:8080/x')).toBe(true);
  expect(may(['hooks.example.com:8443'], 'https://hooks.example.com:8443/x')).toBe(true);
  expect(may(['hooks.example.com:8443'], 'https://hooks.example.com/x')).toBe(false);
  expect(may(['hooks.example.com:443'], 'https://hooks.example.com/x')).toBe(true);
  expect(may([], 'https://hooks.example.com/x')).toBe(false);
});

test.each([
  'https://other.example.com/',
  'https://example.com/',
  'https://hooks.example.com.evil.test/',
  'https://evilhooks.example.com/',
  'https://hooks.example.com@evil.test/',
  'https://user:secret@hooks.example.com/',
  'https://hooks.example.com./',
  'ftp://hooks.example.com/',
  'file:///etc/passwd',
])('nothing goes to %s for hooks.example.com', (url) => {
  expect(may(['hooks.example.com'], url)).toBe(false);
});

test('a suffix covers every name below it, and not itself', () => {
  expect(may(['*.example.com'], 'https://a.b.example.com/')).toBe(true);
  expect(may(['*.example.com'], 'https://example.com/')).toBe(false);
  expect(may(['*.example.com'], 'https://badexample.com/')).toBe(false);
});

test.each([
  'http://127.0.0.1/',
  'http://2130706433/',
  'http://0x7f.1/',
  'http://0177.0.0.1/',
  'http://[::ffff:127.0.0.1]/',
])('an address in any spelling is one address: %s', (url) => {
  expect(may(['127.0.0.1'], url)).toBe(true);
  expect(may(['*.0.0.1', 'localhost', 'example.com'], url)).toBe(false);
});

test('addresses and networks may be listed themselves', () => {
  expect(may(['10.0.0.5:8443'], 'https://10.0.0.5:8443/')).toBe(true);
  expect(may(['10.0.0.0/8'], 'https://10.20.30.40:9000/')).toBe(true);
  expect(may(['10.0.0.0/8'], 'https://11.0.0.1/')).toBe(false);
  expect(may(['[fd00::5]:80'], 'http://[fd00:0::5]/')).toBe(true);
  expect(may(['fd00::/8'], 'http://[fd12::1]/')).toBe(true);
});

test.each([
  '127.0.0.1',
  '127.8.8.8',
  '0.0.0.0',
  '10.1.2.3',
  '172.16.0.1',
  '192.168.1.1',
  '169.254.169.254',
  '168.63.129.16',
  '100.100.100.200',
  '224.0.0.1',
  '255.255.255.255',
  '::1',
  '::',
  '::ffff:10.0.0.1',
  '::ffff:7f00:1',
  'fe80::1',
  'fd00:ec2::254',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
])('a listed name may not lead to %s', (address) => {
  expect(mayReach(['hooks.example.com'], 'hooks.example.com', 443, address)).toBe(false);
  expect(mayReach(['hooks.example.com'], 'hooks.example.com', 443, '93.184.216.34', address)).toBe(false);
});

test('a listed name may lead to public addresses, and to special ones that are listed too', () => {
  expect(mayReach(['hooks.example.com'], 'hooks.example.com', 443, '93.184.216.34', '2606:4700::1')).toBe(
    true,
  );
  expect(mayReach(['hooks.test', '10.0.0.5:443'], 'hooks.test', 443, '10.0.0.5')).toBe(true);
  expect(mayReach(['hooks.test', '10.0.0.5:444'], 'hooks.test', 443, '10.0.0.5')).toBe(false);
  expect(mayReach(['hooks.test', '10.0.0.0/24'], 'hooks.test', 443, '10.0.0.7')).toBe(true);
  expect(mayReach(['hooks.test'], 'hooks.test', 443)).toBe(false);
});

test('localhost may lead to this machine, and nowhere else inside', () => {
  expect(mayReach(['localhost:8080'], 'localhost', 8080, '127.0.0.1', '::1')).toBe(true);
  expect(mayReach(['localhost:8080'], 'localhost', 8081, '127.0.0.1')).toBe(false);
  expect(mayReach(['localhost'], 'localhost', 80, '10.0.0.1')).toBe(false);
  expect(mayReach(['*.test'], 'localhost.test', 80, '127.0.0.1')).toBe(false);
});

test.each([
  // IPv4-compatible, SIIT, NAT64 of both kinds, 6to4, Teredo, ISATAP: what leads to an IPv4 address inside.
  '::7f00:1',
  '::127.0.0.1',
  '::10.0.0.5',
  '::ffff:0:7f00:1',
  '::ffff:0:169.254.169.254',
  '64:ff9b::7f00:1',
  '64:ff9b:1::7f00:1',
  '64:ff9b:1:ffff::10.0.0.5',
  '2002:7f00:1::',
  '2001:0:7f00:1::1',
  '2600:1f00::5efe:7f00:1',
  '2600:1f00::200:5efe:10.0.0.5',
  'fe80::5efe:7f00:1%eth0',
  // Given out to nobody: what a network of its own makes of them is not the public internet.
  '1::1',
  '400::1',
  '100:0:0:1::1',
  '4000::1',
  'f000::1',
])('%s is not of the public internet', (address) => {
  expect(mayReach(['hooks.example.com'], 'hooks.example.com', 443, address)).toBe(false);
});

test.each(['93.184.216.34', '2600:1f00::1', '2a00:1450:4001:80f::200e', '::ffff:93.184.216.34'])(
  '%s is',
  (address) => {
    expect(mayReach(['hooks.example.com'], 'hooks.example.com', 443, address)).toBe(true);
  },
);
