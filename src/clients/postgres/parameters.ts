import { nearest } from '../../nearest.js';

/**
 * The parameters of a PostgreSQL URL, by libpq's list:
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
 */

type Rule =
  /** Carried out, with any text. */
  | { readonly kind: 'text' }
  /** One of these values. */
  | { readonly kind: 'one-of'; readonly values: readonly string[] }
  /** A whole number of at least this. */
  | { readonly kind: 'number'; readonly least: number }
  /** libpq knows it and it cannot be honoured here. */
  | { readonly kind: 'refused'; readonly why: string };

const text: Rule = { kind: 'text' };
const oneOf = (...values: string[]): Rule => ({ kind: 'one-of', values });
const refused = (why: string): Rule => ({ kind: 'refused', why });

const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  // Parts of the address, for what a URL cannot say in front of its question mark.
  ['host', text],
  ['port', { kind: 'number', least: 1 }],
  ['user', text],
  ['password', text],
  ['dbname', text],
  ['sslmode', oneOf('disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full')],
  // As libpq takes it from JDBC.
  ['ssl', oneOf('true')],
  ['sslrootcert', text],
  ['sslcert', text],
  ['sslkey', text],
  ['options', text],
  ['channel_binding', oneOf('disable', 'prefer', 'require')],
  ['connect_timeout', { kind: 'number', least: 0 }],
  ['client_encoding', oneOf('UTF8', 'utf8', 'UTF-8', 'utf-8', 'auto')],
  ['gssencmode', oneOf('disable', 'prefer')],
  ['target_session_attrs', oneOf('any')],
  ['load_balance_hosts', oneOf('disable')],
  ['sslnegotiation', oneOf('postgres')],
  ['sslsni', oneOf('1')],
  ['sslcompression', oneOf('0')],
  ['keepalives', oneOf('1')],
  // Sessions bear the bot's own names, by which they are found again.
  ['application_name', text],
  ['fallback_application_name', text],
  ['hostaddr', refused('name the server by host')],
  ['passfile', refused('put the password into the URL, or into a variable that m10.yml names')],
  ['service', refused('write out what the service file says')],
  ['servicefile', refused('write out what the service file says')],
  ['sslpassword', refused('use a key without a passphrase')],
  ['sslcrl', refused('revocation lists are not read')],
  ['sslcrldir', refused('revocation lists are not read')],
  ['sslcertmode', refused('a certificate is sent when sslcert names one')],
  ['ssl_min_protocol_version', refused('TLS 1.2 is the least in any case')],
  ['ssl_max_protocol_version', refused('the newest version that both sides know is used')],
  ['requirepeer', refused('use TLS with sslmode=verify-full')],
  ['require_auth', refused('use TLS with sslmode=verify-full')],
  ['krbsrvname', refused('GSSAPI is not spoken')],
  ['gsslib', refused('GSSAPI is not spoken')],
  ['gssdelegation', refused('GSSAPI is not spoken')],
  ['keepalives_idle', refused('keep-alive goes by the system')],
  ['keepalives_interval', refused('keep-alive goes by the system')],
  ['keepalives_count', refused('keep-alive goes by the system')],
  ['tcp_user_timeout', refused('timeouts are the bot’s own')],
  ['replication', refused('a session for replication runs no migration')],
]);

/**
 * Reads the part behind the question mark.
 * @returns the parameters, and every mistake as "what was found, what is expected", without any value that could be
 * a secret
 */
export function readParameters(given: URLSearchParams): {
  readonly parameters: Readonly<Record<string, string>>;
  readonly problems: readonly string[];
} {
  const parameters: Record<string, string> = {};
  const problems: string[] = [];
  for (const [name, value] of given) {
    if (Object.hasOwn(parameters, name)) problems.push(`its parameter ${name} is given twice`);
    else {
      const problem = problemOf(name, value);
      if (problem !== null) problems.push(problem);
      parameters[name] = value;
    }
  }
  if (parameters.ssl !== undefined && parameters.sslmode !== undefined) {
    problems.push('its parameters ssl and sslmode say the same twice; keep sslmode');
  }
  return { parameters, problems };
}

function problemOf(name: string, value: string): string | null {
  const rule = rules.get(name);
  if (rule === undefined) {
    const known = nearest(name.toLowerCase(), [...rules.keys()]);
    return `its parameter ${JSON.stringify(name)} is none of PostgreSQL's${known === undefined ? '' : `; did you mean ${known}?`}`;
  }
  switch (rule.kind) {
    case 'text':
      return value === '' ? `its parameter ${name} is empty` : null;
    case 'one-of':
      return rule.values.includes(value)
        ? null
        : `its parameter ${name} is ${JSON.stringify(value)}, expected ${rule.values.join(', ')}`;
    case 'number': {
      const number = Number(value);
      return /^\d+$/.test(value) && number >= rule.least && number <= 65_535
        ? null
        : `its parameter ${name} is ${JSON.stringify(value)}, expected a whole number`;
    }
    case 'refused':
      return `its parameter ${name} is not supported here: ${rule.why}`;
  }
}
