import { describe, expect, it } from 'vitest';
import { libpqEnvironment, parseDatabaseUrl, tlsOptions } from '../../../src/clients/postgres/url.js';

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
  expect(tlsOptions({})).toBe(false);
  expect(tlsOptions({ sslmode: 'prefer' })).toBe(false);
  expect(tlsOptions({ sslmode: 'require' })).toMatchObject({ rejectUnauthorized: false });
  expect(tlsOptions({ sslmode: 'verify-full' })).toEqual({});
  expect(tlsOptions({ sslmode: 'verify-ca' })).toHaveProperty('checkServerIdentity');
});
