import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';

/** A database URL in its parts. Everything that decides which database is meant stands in the URL itself. */
export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | null;
  readonly database: string;
  /** libpq's sslmode, sslrootcert, sslcert, sslkey, options, channel_binding, as far as given. */
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
};

/**
 * Reads a URL as libpq and SQLAlchemy write it (`postgresql+psycopg2://…` too). Host, user and database must be
 * given: what is missing would otherwise be filled from the environment by accident. The problem never quotes
 * the URL, which may hold a password.
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
  try {
    const parameters = Object.fromEntries(parsed.searchParams);
    const inUrl = parsed.hostname === EMPTY_HOST ? '' : parsed.hostname.replace(/^\[(.+)\]$/, '$1');
    const host = decodeURIComponent(inUrl) || (parameters.host ?? '');
    const user = decodeURIComponent(parsed.username) || (parameters.user ?? '');
    const password = decodeURIComponent(parsed.password) || (parameters.password ?? '');
    const database = decodeURIComponent(parsed.pathname.slice(1)) || (parameters.dbname ?? '');
    const port = Number(parsed.port || (parameters.port ?? '5432'));
    if (host === '') return bad('it names no host');
    if (host.includes(',')) return bad('it names several hosts; give the one that is meant');
    if (user === '') return bad('it names no user');
    if (database === '') return bad('it names no database');
    if (!Number.isInteger(port) || port < 1 || port > 65_535) return bad('its port is not a number');
    return {
      kind: 'address',
      address: {
        host,
        port,
        user,
        password: password || null,
        database,
        parameters: Object.fromEntries(Object.entries(parameters).filter(([key]) => key in VARIABLES)),
      },
    };
  } catch {
    return bad('it holds a percent sign that escapes nothing');
  }
}

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
 * TLS as libpq understands sslmode; `prefer` and `allow`, which promise nothing, connect in the clear.
 * @throws when a certificate file cannot be read
 */
export function tlsOptions(parameters: Readonly<Record<string, string>>): ConnectionOptions | false {
  const { sslmode, sslrootcert, sslcert, sslkey } = parameters;
  if (sslmode !== 'require' && sslmode !== 'verify-ca' && sslmode !== 'verify-full') return false;
  const options: ConnectionOptions = {};
  // libpq 16 takes the word `system` for the certificates the machine trusts.
  if (sslrootcert !== undefined && sslrootcert !== 'system') options.ca = readFileSync(sslrootcert);
  if (sslcert !== undefined) options.cert = readFileSync(sslcert);
  if (sslkey !== undefined) options.key = readFileSync(sslkey);
  if (sslmode === 'require' && options.ca === undefined) options.rejectUnauthorized = false;
  if (sslmode !== 'verify-full') options.checkServerIdentity = () => undefined;
  return options;
}

function bad(problem: string): AddressResult {
  return { kind: 'bad_url', problem };
}
