import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor, MASK } from '../src/redact.js';

const none = createRedactor([]);

describe('known secrets', () => {
  const { redact } = createRedactor([
    'p@ss w/\'q"ü',
    'postgres://bot:s%3Acret%21x@db.internal:5432/state?sslpassword=key%20pass',
    'hunter2hunter2',
    'hunter2',
    'tiny',
    'abc',
  ]);

  it.each([
    ['as it is', 'p@ss w/\'q"ü'],
    ['percent-encoded', "p%40ss%20w%2F'q%22%C3%BC"],
    ['percent-encoded to the last sign', 'p%40ss%20w%2F%27q%22%C3%BC'],
    ['percent-encoded in lower case', 'p%40ss%20w%2f%27q%22%c3%bc'],
    ['form-encoded', 'p%40ss+w%2F%27q%22%C3%BC'],
    ['in JSON', String.raw`p@ss w/'q\"ü`],
    ['in SQL', "p@ss w/''q\"ü"],
    ['in a DSN', String.raw`p@ss w/\'q"ü`],
    ['in base64', Buffer.from('p@ss w/\'q"ü').toString('base64')],
    ['the password of a URL as written', 's%3Acret%21x'],
    ['the password of a URL decoded', 's:cret!x'],
    ['a password among the parameters of a URL', 'key pass'],
    ['a short one', 'tiny'],
  ])('are hidden: %s', (_how, shown) => {
    expect(redact(`before ${shown} after ${shown}`)).toBe(`before ${MASK} after ${MASK}`);
  });

  it('leave the rest of a URL readable', () => {
    expect(redact('cannot reach postgres://bot:s%3Acret%21x@db.internal:5432/state')).toBe(
      `cannot reach postgres://bot:${MASK}@db.internal:5432/state`,
    );
    expect(redact('db.internal, user bot')).toBe('db.internal, user bot');
  });

  it('leave nothing behind where one is part of another', () => {
    expect(redact('x hunter2hunter2 hunter2 y')).toBe(`x ${MASK} ${MASK} y`);
    expect(createRedactor(['abcdef', 'defghi']).redact('-abcdefghi-')).toBe(`-${MASK}-`);
    expect(createRedactor(['aaaa']).redact('baaaaaaab')).toBe(`b${MASK}b`);
  });

  it('of fewer than four signs are hidden only where secrets stand', () => {
    expect(redact('abc abc')).toBe('abc abc');
    expect(redact('redis://:abc@cache:6379 password=abc')).toBe(
      `redis://:${MASK}@cache:6379 password=${MASK}`,
    );
  });

  it('of several lines are hidden line by line', () => {
    const key = 'first line of it\nsecond line of it';
    expect(createRedactor([key]).redact('> second line of it\n> first line of it')).toBe(
      `> ${MASK}\n> ${MASK}`,
    );
  });

  it('that are the mask itself do not make it grow', () => {
    const { redact: odd } = createRedactor(['redacted', 'secret-1']);
    expect(odd(odd('secret-1'))).toBe(MASK);
  });
});

describe('what looks like a secret', () => {
  it.each([
    ['postgres://u:p@h/db', `postgres://u:${MASK}@h/db`],
    ['postgresql+psycopg2://u:p@ss@h/db', `postgresql+psycopg2://u:${MASK}@h/db`],
    ['redis://:p@h:6379', `redis://:${MASK}@h:6379`],
    ['amqp://a:b@h1,amqp://c:d@h2', `amqp://a:${MASK}@h1,amqp://c:${MASK}@h2`],
    ['PGPASSWORD=x psql', `PGPASSWORD=${MASK} psql`],
    ['env PGPASSWORD="x y" psql', `env PGPASSWORD="${MASK}" psql`],
    ['host=h password=p dbname=d', `host=h password=${MASK} dbname=d`],
    [String.raw`host=h password = 'p \' q' dbname=d`, `host=h password = '${MASK}' dbname=d`],
    ['h/db?user=u&password=p&x=1', `h/db?user=u&password=${MASK}&x=1`],
    ['aws_secret_access_key = abc/def+1', `aws_secret_access_key = ${MASK}`],
    ['{"password": "a\\"b", "n": 1}', `{"password": "${MASK}", "n": 1}`],
    ['"{\\"client_secret\\":\\"a b\\",\\"n\\":1}"', `"{\\"client_secret\\":\\"${MASK}\\",\\"n\\":1}"`],
    ['"{\\"token\\":\\"a\\\\\\"b\\",\\"n\\":1}"', `"{\\"token\\":\\"${MASK}\\",\\"n\\":1}"`],
    ['{"dsn":"host=h password=p"}', `{"dsn":"host=h password=${MASK}"}`],
    ["password='cut off\nnext line", `password='${MASK}\nnext line`],
    ['xoxb-1-2-abcDEF, xapp-1-A-b', `${MASK}, ${MASK}`],
    ['xoxe.xoxp-1-Mi0y', MASK],
    ['https://hooks.slack.com/commands/T1/2/3 ok', `https://hooks.slack.com/${MASK} ok`],
    ['id AKIAIOSFODNN7EXAMPLE.', `id ${MASK}.`],
    ['Authorization: Bearer abc.def', `Authorization: Bearer ${MASK}`],
    ["-H 'authorization: Basic dTpw'", `-H 'authorization: Basic ${MASK}'`],
    ['{"Authorization":"Bearer abc"}', `{"Authorization":"Bearer ${MASK}"}`],
    ['got bearer abcdefgh12345678', `got bearer ${MASK}`],
    [`ghp_${'a1'.repeat(18)}`, MASK],
    ['eyJhbGciOiJI.eyJzdWIiOiIx.c2ln', MASK],
    ['a\n-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nb', `a\n${MASK}\nb`],
    ['a -----BEGIN PRIVATE KEY-----\\nMII and cut off', `a ${MASK}`],
  ])('is hidden: %s', (text, shown) => {
    expect(none.redact(text)).toBe(shown);
    expect(none.redact(shown)).toBe(shown);
  });

  it.each([
    'password authentication failed for user "m10"',
    'https://grafana.internal:3000/d/abc?orgId=1',
    'postgres://m10@h:5432/db',
    'alembic upgrade 022_m10_production_hardening',
    'commit 3f786850e387550fdab836ed7e6dc881de23001b',
    'sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    'mail alice@example.org: https://example.org/@scope',
    '-----BEGIN CERTIFICATE-----',
    'AKIAIOSFODNN7EXAMPL.',
    'eyJhbGciOiJI and a sentence. And another.',
    'the bearer of this message',
    '',
  ])('is not seen in: %s', (text) => {
    expect(none.redact(text)).toBe(text);
  });
});

describe('redactDeep', () => {
  it('reaches every string, the keys too, and keeps the rest', () => {
    const { redactDeep } = createRedactor(['hunter2']);
    const value = {
      a: ['x hunter2', 1, null, true, { hunter2: 'u', dbPassword: 'x', api_key: '', token: 7 }],
    };
    expect(redactDeep(value)).toEqual({
      a: [`x ${MASK}`, 1, null, true, { [MASK]: 'u', dbPassword: MASK, api_key: '', token: 7 }],
    });
  });
});

describe('properties', () => {
  /** Nothing of the mask, so that an occurrence in the result is a leak. */
  const letters = fc.string({
    unit: fc.constantFrom(...'xyz019@:/%+=\'"\\ ü\n'),
    minLength: 4,
    maxLength: 12,
  });

  it('no known secret survives in any text made with it, in any of its forms', () => {
    fc.assert(
      fc.property(fc.array(letters, { minLength: 1, maxLength: 4 }), fc.array(letters), (secrets, noise) => {
        const forms = (secret: string) => [
          secret,
          encodeURIComponent(secret),
          JSON.stringify(secret).slice(1, -1),
        ];
        const text = secrets.flatMap((secret, n) => [noise[n] ?? '', ...forms(secret)]).join('');
        const result = createRedactor(secrets).redact(text);
        // A URL's user and host are not secret.
        const plain = secrets.filter((secret) => !secret.includes('://'));
        for (const form of plain.flatMap(forms)) expect(result).not.toContain(form);
      }),
      { numRuns: 500 },
    );
  });

  it('the password of any URL is hidden, whatever its characters', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4, unit: 'binary' }), (password) => {
        const wellFormed = password.replace(/\p{Surrogate}/gu, '\uFFFD');
        const encoded = encodeURIComponent(wellFormed);
        const url = `postgres://bot:${encoded}@host/db`;
        expect(none.redact(url)).toBe(`postgres://bot:${MASK}@host/db`);
        fc.pre(!MASK.includes(wellFormed));
        expect(createRedactor([url]).redact(`>>${wellFormed}<<`)).not.toContain(`>>${wellFormed}<<`);
      }),
    );
  });

  it('a text without anything secret is returned as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'abc `*_~<>|()-\n') }), (text) => {
        expect(createRedactor(['0123456789']).redact(text)).toBe(text);
      }),
    );
  });
});

describe('hostile input', () => {
  // Anything but linear time would run into the test's own timeout here, by orders of magnitude.
  const size = 1_000_000;
  const { redact } = createRedactor(['aaaa', 'aaaaaaaaaaab', 'hunter2']);
  it.each([
    '`',
    'a',
    '://',
    '://a:',
    '://a:b@',
    '@:',
    'password',
    'password=',
    "password='",
    "password='\\'",
    'password="\\',
    '"password":"',
    '\\"token\\":\\"\\',
    'authorization: bearer ',
    'bearer ',
    'xoxb-',
    'xoxb.xoxb',
    'eyJ',
    'eyJ ',
    'eyJaaaaaaaa.',
    'ghp_',
    'AKIA',
    '-----BEGIN PRIVATE KEY-----',
    '-----BEGIN ',
    '-----END ',
    'hooks.slack.com/',
    '\\',
    ' ',
    "'",
    '=',
    "password '",
    "password ''",
    "password ''a",
    'password $$',
    'password $a$',
    'password/**/',
    'password --\n',
    'password %L',
    "password ' ||",
    'password(',
    'password = a(',
    'password: ',
    '\npassword: a',
    'token: ',
    '--password ',
    "--password', '",
    "set_config('a.token', '",
    "token', ",
    'crypt(',
    "crypt('",
    '-----END PRIVATE KEY-----',
    'abcd\n-----END PRIVATE KEY-----\n',
    '…',
    'a…',
    'hunt…',
    'aaaa… ',
    '… ',
    '[…\n',
    '://a:b…',
    '\u0000',
    '\u001b[31m',
    'a\u200b',
  ])('a megabyte of %j', (unit) => {
    const text = unit.repeat(Math.ceil(size / unit.length));
    expect(typeof redact(text)).toBe('string');
    expect(typeof redact(`password='${text}`)).toBe('string');
    expect(typeof redact(`{"password":"${text}`)).toBe('string');
  });
});
