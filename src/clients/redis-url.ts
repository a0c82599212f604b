import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';

/** The one of a server; what else stands in a URL would be taken for an option of the library, or dropped. */
const scheme = /^rediss?:\/\//;

/** What is wrong with the URL of a Redis, without quoting it; null when nothing is. */
export function redisUrlProblem(url: string): string | null {
  if (!scheme.test(url)) return 'it does not start with redis:// or rediss://';
  if (!URL.canParse(url)) return 'it is not a URL with one host';
  const { hostname, pathname, searchParams, hash } = new URL(url);
  const problems = [
    ...(hostname === '' ? ['it names no host'] : []),
    ...(/^\/?$|^\/\d+$/.test(pathname) ? [] : ['its database is not a number']),
    ...[...new Set(searchParams.keys())].map(
      (name) =>
        `its parameter ${JSON.stringify(name)} is not taken; host, port, user, password and database stand in front of it`,
    ),
    ...(hash === '' ? [] : ['it holds a #, which a password writes as %23']),
    ...(decodes(url) ? [] : ['it holds a percent sign that escapes nothing']),
  ];
  return problems.length === 0 ? null : problems.join('; ');
}

function decodes(url: string): boolean {
  try {
    const { username, password } = new URL(url);
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly db: number;
  readonly tls?: { readonly servername: string; readonly ca?: string[] };
}

/** A Redis by its URL, and a file of certificates that may sign for it, beside those that the machine trusts. */
export interface RedisPlace {
  readonly redisUrl: string;
  readonly redisCa?: string;
}

/**
 * The address as the library is given it, part by part: it reads a URL in its own way.
 * @throws when the file of certificates cannot be read
 */
export function redisAddress({ redisUrl, redisCa }: RedisPlace): RedisAddress {
  const { protocol, hostname, port, username, password, pathname } = new URL(redisUrl);
  const user = decodeURIComponent(username);
  const host = hostname.replace(/^\[(.+)\]$/, '$1');
  return {
    host,
    port: port === '' ? 6379 : Number(port),
    ...(user === '' ? {} : { username: user }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    db: Number(pathname.slice(1) || '0'),
    ...(protocol === 'rediss:' ? { tls: { servername: serverName(host), ...certificates(redisCa) } } : {}),
  };
}

/** Names only: RFC 6066 has no addresses in SNI, and Node refuses them. */
function serverName(host: string): string {
  return /^[\d.]+$|:/.test(host) ? '' : host;
}

function certificates(ca: string | undefined) {
  return ca === undefined ? {} : { ca: [...rootCertificates, readFileSync(ca, 'utf8')] };
}
