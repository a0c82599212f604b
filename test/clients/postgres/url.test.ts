import { describe, expect, it } from 'vitest';
import { libpqEnvironment, parseDatabaseUrl, tlsWays } from '../../../src/clients/postgres/url.js';

describe('parseDatabaseUrl', () => {
  it.each([
    [
      'postgresql://u:p%40ss@db.example:6432/name',
      { host: 'db.example', port: 6432, user: 'u', password: 'p@ss' },
    ],
    ['postgres://u@h/name', { port: 5432, password: null, database: 'name' }],
    ['postgresql+psycopg2://u:p@h/name', { host: 'h', user: 'u' }],
    ['postgresql://u@[::1]:5433/name', { host: '::1', port: 5433 }],
    ['postgresql://u:p@/name?host=/run/postgresql&port=5444', { host: '/run/postgresql', port: 5444 }],
    [
      'postgresql:///name?host=/run/postgresql&user=u',
      { host: '/run/postgresql', user: 'u', database: 'name' },
    ],
    ['postgresql://u@%2Frun%2Fpostgresql/name', { host: '/run/postgresql' }],
  ])('reads %s', (url, expected) => {
    expect(parseDatabaseUrl(url)).toMatchObject({ kind: 'address', address: expected });
  });

  it.each([
    ['mysql://u@h/d', /postgresql:\/\//],
    ['postgresql:///d', /no host/],
    ['postgresql://h/d', /no user/],
    ['postgresql://u@h', /no database/],
    ['postgresql://u:s3cret@a,b/d', /several hosts/],
    ['postgresql://u:s3cret@a:1,b:2/d', /one host/],
    ['postgresql://u:s3cret@h:99999/d', /./],
    ['postgresql://u:s3cret%ZZ@h/d', /percent/],
    ['postgresql://u:s3cret#x@h/d', /one host|#/],
    [
      'postgresql://u:s3cret@h/d?ssl_mode=require',
      /"ssl_mode" is none of PostgreSQL's; did you mean sslmode\?/,
    ],
    ['postgresql://u:s3cret@h/d?sslmode=required', /sslmode is "required", expected disable, allow/],
    ['postgresql://u:s3cret@h/d?schema=app&pgbouncer=true', /"schema" is none.*; .*"pgbouncer" is none/],
    ['postgresql://u:s3cret@h/d?target_session_attrs=read-write', /target_session_attrs is "read-write"/],
    ['postgresql://u:s3cret@h/d?sslcrl=/x', /sslcrl is not supported here/],
    ['postgresql://u:s3cret@h/d?connect_timeout=soon', /connect_timeout is "soon", expected a whole number/],
    ['postgresql://u:s3cret@h/d?host=other', /names host twice/],
    ['postgresql://u:s3cret@h/d?sslmode=require&sslmode=disable', /sslmode is given twice/],
    ['postgresql://u@h/d?password=s3cret&pasword=s3cret', /"pasword" is none.*password/],
  ])('says what %s lacks, without quoting it', (url, problem) => {
    const result = parseDatabaseUrl(url);
    expect(result).toMatchObject({ kind: 'bad_url', problem: expect.stringMatching(problem) });
    expect(JSON.stringify(result)).not.toContain('s3cret');
  });
});

it('gives libpq programs everything that the URL says', () => {
  expect(
    libpqEnvironment('postgresql://u:p@h:1/d?sslmode=verify-full&sslrootcert=/ca.pem&application_name=x'),
  ).toEqual({
    PGHOST: 'h',
    PGPORT: '1',
    PGUSER: 'u',
    PGPASSWORD: 'p',
    PGDATABASE: 'd',
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: '/ca.pem',
  });
  expect(libpqEnvironment('postgresql://u@h/d')).not.toHaveProperty('PGPASSWORD');
  expect(() => libpqEnvironment('postgresql://u:s3cret@h')).toThrow(/no database/);
});

it('reads sslmode as libpq does', () => {
  const ways = (parameters: Record<string, string>, host = 'h') => tlsWays({ host, parameters });
  const unverified = expect.objectContaining({ rejectUnauthorized: false });
  expect(ways({})).toEqual([unverified, false]);
  expect(ways({ sslmode: 'prefer' })).toEqual([unverified, false]);
  expect(ways({ sslmode: 'allow' })).toEqual([false, unverified]);
  expect(ways({ sslmode: 'disable' })).toEqual([false]);
  expect(ways({ sslmode: 'require' })).toEqual([unverified]);
  expect(ways({ sslmode: 'verify-full' })).toEqual([{}]);
  expect(ways({ sslmode: 'verify-ca' })).toEqual([{ checkServerIdentity: expect.any(Function) }]);
  // A socket of the machine is never encrypted, as with libpq.
  expect(ways({ sslmode: 'require' }, '/run/postgresql')).toEqual([false]);
});
