import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { readParameters } from './parameters.js';

/** A database URL in its parts. Everything that decides which database is meant stands in the URL itself. */
export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | null;
  readonly database: string;
  /** Those of the URL that are no part of the address, as far as given, by libpq's names. */
  readonly parameters: Readonly<Record<string, string>>;
}

export type AddressResult =
  | { readonly kind: 'address'; readonly address: DatabaseAddress }
  | { readonly kind: 'bad_url'; readonly problem: string };

const EMPTY_HOST = 'host-by-parameter.invalid';
/** URL parameter to libpq's variable: https://www.postgresql.org/docs/15/libpq-envars.html */
const VARIABLES: Readonly<Record<string, string>> = {
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  channel_binding: 'PGCHANNELBINDING',
  options: 'PGOPTIONS',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  gssencmode: 'PGGSSENCMODE',
};

/**
 * Reads a URL as libpq and SQLAlchemy write it (`postgresql+psycopg2://…` too). Host, user and database must be
 * given: what is missing would otherwise be filled from the environment by accident. The problem names every
 * mistake and never quotes the URL, which may hold a password.
 */
export function parseDatabaseUrl(url: string): AddressResult {
  const scheme = /^(postgres|postgresql)(\+[a-z0-9]+)?:\/\//.exec(url);
  if (scheme === null) return bad('it does not start with postgresql://');
  // `user@/database` (a socket) is valid for libpq, but not for the URL class.
  const rest = url.slice(scheme[0].length).replace(/^([^/@]*@)?(?=[/?]|$)/, `$1${EMPTY_HOST}`);
  let parsed: URL;
  try {
    parsed = new URL(`postgresql://${rest}`);
  } catch {
    return bad('it is not a URL with one host');
  }
  if (parsed.hash !== '') return bad('it holds a #, which a password writes as %23');
  try {
    return addressOf(parsed);
  } catch {
    return bad('it holds a percent sign that escapes nothing');
  }
}

/** @throws URIError for a percent sign that escapes nothing */
function addressOf(parsed: URL): AddressResult {
  const { parameters, problems } = readParameters(parsed.searchParams);
  const found: string[] = [...problems];
  /** A part of the address, which the URL or a parameter may name, but not both. */
  const part = (name: string, inUrl: string): string => {
    const given = parameters[name];
    if (inUrl !== '' && given !== undefined && given !== inUrl) found.push(`it names ${name} twice`);
    return inUrl || (given ?? '');
  };
  const inUrl = parsed.hostname === EMPTY_HOST ? '' : parsed.hostname.replace(/^\[(.+)\]$/, '$1');
  const host = part('host', decodeURIComponent(inUrl));
  const user = part('user', decodeURIComponent(parsed.username));
  const password = part('password', decodeURIComponent(parsed.password));
  const database = part('dbname', decodeURIComponent(parsed.pathname.slice(1)));
  const port = Number(part('port', parsed.port) || '5432');
  if (host === '') found.push('it names no host');
  if (host.includes(',')) found.push('it names several hosts; give the one that is meant');
  if (user === '') found.push('it names no user');
  if (database === '') found.push('it names no database');
  if (!Number.isInteger(port) || port < 1 || port > 65_535) found.push('its port is not a number');
  if (found.length > 0) return bad(found.join('; '));
  const { ssl, ...own } = parameters;
  const kept = Object.entries(own).filter(([key]) => !inAddress.has(key));
  return {
    kind: 'address',
    address: {
      host,
      port,
      user,
      password: password || null,
      database,
      parameters: Object.fromEntries(ssl === undefined ? kept : [...kept, ['sslmode', 'require']]),
    },
  };
}

const inAddress: ReadonlySet<string> = new Set(['host', 'port', 'user', 'password', 'dbname']);

/**
 * The environment in which libpq programs (pg_dump, pg_restore, psql) reach the database, so that no password
 * stands in their arguments.
 * @throws when the URL cannot be read; parseDatabaseUrl says so as a value.
 */
export function libpqEnvironment(url: string): Record<string, string> {
  const result = parseDatabaseUrl(url);
  if (result.kind === 'bad_url') throw new Error(`The database URL cannot be used: ${result.problem}.`);
  const { host, port, user, password, database, parameters } = result.address;
  const environment: Record<string, string> = {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGDATABASE: database,
  };
  if (password !== null) environment.PGPASSWORD = password;
  for (const [parameter, variable] of Object.entries(VARIABLES)) {
    const value = parameters[parameter];
    if (value !== undefined) environment[variable] = value;
  }
  return environment;
}

/**
 * The ways in which libpq would connect, one after the other: with TLS, or in the clear. `prefer`, the default,
 * tries TLS first, `allow` last; a socket of the machine is never encrypted.
 * https://www.postgresql.org/docs/15/libpq-ssl.html#LIBPQ-SSL-PROTECTION
 * @throws when a certificate file cannot be read
 */
export function tlsWays(
  address: Pick<DatabaseAddress, 'host' | 'parameters'>,
): readonly (ConnectionOptions | false)[] {
  const mode = address.parameters.sslmode ?? 'prefer';
  if (mode === 'disable' || address.host.startsWith('/')) return [false];
  const tls = tlsOptions(mode, address.parameters);
  if (mode === 'allow') return [false, tls];
  return mode === 'prefer' ? [tls, false] : [tls];
}

function tlsOptions(mode: string, parameters: Readonly<Record<string, string>>): ConnectionOptions {
  const { sslrootcert, sslcert, sslkey } = parameters;
  const options: ConnectionOptions = {};
  const verifies = mode === 'verify-ca' || mode === 'verify-full' || mode === 'require';
  // libpq 16 takes the word `system` for the certificates the machine trusts.
  if (verifies && sslrootcert !== undefined && sslrootcert !== 'system')
    options.ca = readFileSync(sslrootcert);
  if (sslcert !== undefined) options.cert = readFileSync(sslcert);
  if (sslkey !== undefined) options.key = readFileSync(sslkey);
  // `require` with a root certificate verifies it, as libpq does.
  if (!verifies || (mode === 'require' && sslrootcert === undefined)) options.rejectUnauthorized = false;
  if (mode !== 'verify-full') options.checkServerIdentity = () => undefined;
  return options;
}

function bad(problem: string): AddressResult {
  return { kind: 'bad_url', problem };
}
