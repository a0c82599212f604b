import { describe, expect, test } from 'vitest';
import { createRedactor, MASK } from '../src/redact.js';

const password = 'p@ss/w%rd:1';
const shown = { words: ['billing', 'bugs_pct'], hosts: ['127.0.0.1', 'db.internal'] };
const { redact } = createRedactor([password], shown);

describe('pieces, as parsers and drivers print them', () => {
  test.each([
    [
      'a part of the encoded form',
      "InterpolationSyntaxError: '%' must be followed by '%' or '(', found: '%40ss%2Fw%25rd%3A1@127.0.0.1:5432/bugs_pct'",
      `InterpolationSyntaxError: '%' must be followed by '%' or '(', found: '${MASK}@127.0.0.1:5432/bugs_pct'`,
    ],
    [
      'what libpq takes for the host, with an @ that nobody encoded',
      'could not translate host name "ss/w%rd:1@db.internal" to address',
      `could not translate host name "${MASK}@db.internal" to address`,
    ],
    [
      'a short end before the host',
      'invalid port: rd:1@db.internal:5432',
      `invalid port: ${MASK}@db.internal:5432`,
    ],
    ['one character before the host', 'in "1@127.0.0.1"', `in "${MASK}@127.0.0.1"`],
    ['cut at its end', 'connecting with p@ss/w%', `connecting with ${MASK}`],
    ['cut by an omission', 'url=p@ss/w… (cut)', `url=${MASK}… (cut)`],
    ['the end after an omission', '…%rd:1 is wrong', `…${MASK} is wrong`],
    ['an address within an address', 'next=p%2540ss%252Fw%2525rd%253A1', `next=${MASK}`],
    ['in a shell', "PGPASS='p@ss/w%rd:1'", `PGPASS='${MASK}'`],
  ])('%s', (_name, text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  test.each([
    [
      'a colour in the middle',
      'the \u001b[31mp@ss/\u001b[0;1mw%rd:1\u001b[0m was',
      `the \u001b[31m${MASK}\u001b[0;1m${MASK}\u001b[0m was`,
    ],
    [
      'characters without width',
      'p@\u200bss/\u00adw%\ufeffrd:1',
      `${MASK}\u200b${MASK}\u00ad${MASK}\ufeff${MASK}`,
    ],
    ['a carriage return', 'p@ss/\rw%rd:1', `${MASK}\r${MASK}`],
  ])('divided by what nobody sees: %s', (_name, text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  test('wrapped over lines, which stay lines', () => {
    const framed = '│ the URL p@ss\n│   /w%rd:1 was refused\n│ next';
    expect(redact(framed)).toBe(`│ the URL ${MASK}\n│   ${MASK} was refused\n│ next`);
    expect(redact(framed).split('\n')).toHaveLength(3);
  });

  test('as the second half of what base64 makes of a name and a password', () => {
    const secret = 'Tr0ub4dor&3-zebra';
    for (const name of ['u', 'me', 'bob']) {
      const header = Buffer.from(`${name}:${secret}`).toString('base64');
      const found = createRedactor([secret]).redact(`sent ${header} to the server`);
      expect(Buffer.from(found.replaceAll(MASK, ''), 'base64').toString()).not.toContain('zebra');
      expect(found).toContain(MASK);
    }
  });

  test('lines around a piece keep their ends', () => {
    expect(redact('a: 1\nb: %40ss%2Fw%25rd%3A1\nc: 2\n')).toBe(`a: 1\nb: ${MASK}\nc: 2\n`);
  });
});

describe('what is no secret stays', () => {
  test('words that a password is made of', () => {
    const made = createRedactor(['billing-production-postgres-2024'], { words: ['billing'], hosts: [] });
    const text = 'billing: PostgreSQL of production is at 021; the database billing-eu has 2024 rows';
    expect(made.redact(text)).toBe(text);
    expect(made.redact('password is billing-production-postgres-2024')).toBe(`password is ${MASK}`);
  });

  test('ordinary output, digests and SQL', () => {
    const text = `alter table accounts add column note text;\n-- ${'0123456789abcdef'.repeat(4)}\nINFO Running upgrade 021 -> 022`;
    for (const secret of [password, 'correct horse battery', 'deadbeefcafe', 's3cr3t', '12345678']) {
      expect(
        createRedactor([secret], shown).redact(text.replace(/0123456789abcdef/g, 'fedcba9817263544')),
      ).not.toContain(MASK);
    }
  });

  test('two texts that differ stay different where no secret stands', () => {
    expect(redact('select 1\u200b')).toBe('select 1\u200b');
    expect(redact('select 1')).not.toBe(redact('select 1\u200b'));
  });
});

/** The same numbers at each run: https://en.wikipedia.org/wiki/Linear_congruential_generator */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('of random passwords, in every spelling, cut anywhere', () => {
  const alphabet = 'abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789@/:%?#&+=!$^*()[]{}<>|~,;\'"\\ ';
  const spellings: readonly ((text: string) => string)[] = [
    (text) => text,
    (text) => encodeURIComponent(text),
    (text) => JSON.stringify(text).slice(1, -1),
    (text) => text.replaceAll("'", "''"),
    (text) => Buffer.from(text).toString('base64'),
  ];

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('seed %i', (seed) => {
    const next = numbers(seed);
    for (let round = 0; round < 60; round += 1) {
      const secret = Array.from({ length: 12 + next(20) }, () => alphabet[next(alphabet.length)]).join('');
      const spelt = spellings[next(spellings.length)]?.(secret) ?? secret;
      const from = next(spelt.length - 10);
      const piece = spelt.slice(from, from + 10 + next(spelt.length - from - 9));
      const at = 1 + next(piece.length - 1);
      const redactor = createRedactor([secret]);
      for (const text of [
        `error near "${piece}" at line 1`,
        `error: ${piece}`,
        `… ${piece.slice(0, at)}\n    ${piece.slice(at)} …`,
      ]) {
        const left = redactor.redact(text);
        for (let i = 0; i + 8 <= piece.length; i += 1) {
          expect(left, `${secret} in ${text}`).not.toContain(piece.slice(i, i + 8));
        }
      }
    }
  });
});

test('the search goes over a long text once', () => {
  // Not a limit of time: a search that goes back over the same text would not end within the test's own.
  const line =
    'INFO  [alembic.runtime.migration] Running upgrade 021 -> 022, p@ss and %40s and \\\\\\\\ and      \n';
  const many = Array.from({ length: 50 }, (_, i) => `Pw${i}-${'x'.repeat(5)}${i * 7919}/@:%`);
  const redactor = createRedactor([password, 'aaaaaaaaaaaaaaaa', ...many], shown);
  expect(redactor.redact(line.repeat(40_000)).split('\n')).toHaveLength(40_001);
  expect(redactor.redact('a'.repeat(500_000))).toBe(MASK);
  expect(redactor.redact(' '.repeat(500_000)).length).toBe(500_000);
});
