import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { createRedactor, MASK } from '../src/redact.js';

const secret = 'Größe-42ÄÖ€';
const { redact } = createRedactor([secret]);

describe('a password that is not ASCII is hidden as', () => {
  test.each([
    ['it is', secret],
    ['composed of other characters', secret.normalize('NFD')],
    ['Python writes it in ASCII', String.raw`Gr\xf6\xdfe-42\xc4\xd6\u20ac`],
    ['Python writes its bytes', String.raw`Gr\xc3\xb6\xc3\x9fe-42\xc3\x84\xc3\x96\xe2\x82\xac`],
    ['its bytes in upper case', String.raw`Gr\xC3\xB6\xC3\x9Fe-42\xC3\x84\xC3\x96\xE2\x82\xAC`],
    ['JSON in ASCII', String.raw`Gr\u00f6\u00dfe-42\u00c4\u00d6\u20ac`],
    ['JSON in upper case', String.raw`Gr\u00F6\u00DFe-42\u00C4\u00D6\u20AC`],
    ['JSON in a line of JSON', String.raw`Gr\\u00f6\\u00dfe-42\\u00c4\\u00d6\\u20ac`],
    ['C and shells write it', String.raw`Gr\303\266\303\237e-42\303\204\303\226\342\202\254`],
    ['PostgreSQL writes it in ASCII', String.raw`Gr\00f6\00dfe-42\00c4\00d6\20ac`],
    ['a URL has it', 'Gr%C3%B6%C3%9Fe-42%C3%84%C3%96%E2%82%AC'],
    ['a URL has it in lower case', 'gr%c3%b6%c3%9fe-42%c3%84%c3%96%e2%82%ac'.replace(/^g/, 'G')],
    ['an ini file of Alembic has it', 'Gr%%C3%%B6%%C3%%9Fe-42%%C3%%84%%C3%%96%%E2%%82%%AC'],
    ['a page has it, in numbers', 'Gr&#246;&#223;e-42&#196;&#214;&#8364;'],
    ['a page has it, in hexadecimal numbers', 'Gr&#xf6;&#xdf;e-42&#xc4;&#xd6;&#x20ac;'],
    ['a page has it, by names', 'Gr&ouml;&szlig;e-42&Auml;&Ouml;&#8364;'],
    ['read in the wrong encoding', Buffer.from(secret).toString('latin1')],
    ['printed where its characters do not exist', 'Gr??e-42???'],
    ['in base64', Buffer.from(secret).toString('base64')],
    ['composed otherwise, in base64', Buffer.from(secret.normalize('NFD')).toString('base64')],
  ])('%s', (_how, spelt) => {
    expect(redact(`before ${spelt} after`)).toBe(`before ${MASK} after`);
    expect(createRedactor([secret.normalize('NFD')]).redact(`x ${spelt} y`)).toBe(`x ${MASK} y`);
  });

  test.each(['u', 'me', 'bob'])(
    'part of basic authentication of %s, in the encoding of old programs too',
    (name) => {
      const old = 'Größe-42ÄÖ-zebra';
      for (const encoding of ['utf8', 'latin1'] as const) {
        const sent = Buffer.from(`${name}:${old}`, encoding).toString('base64');
        const left = createRedactor([old]).redact(`sent ${sent} to it`).replaceAll(MASK, '');
        expect(Buffer.from(left, 'base64').toString('latin1')).not.toContain('zebra');
      }
    },
  );

  test.each([
    ['a piece of an escape', String.raw`near "\xdfe-42\xc4\xd6" at`, `near "${MASK}" at`],
    ['what an omission has left', String.raw`url=Gr\xc3\xb6\xc3…`, `url=${MASK}…`],
    ['the end of it', '[… 5 bytes left out …]\n\\u00d6\\u20ac@h', `[… 5 bytes left out …]\n${MASK}@h`],
  ])('in pieces: %s', (_how, text, shown) => {
    expect(redact(text)).toBe(shown);
  });

  test('a real Python prints it', () => {
    const program = [
      'import base64, html, json, os, sys, unicodedata, urllib.parse',
      "s = os.environ['S']",
      'forms = [ascii(s), repr(s.encode()), json.dumps(s), urllib.parse.quote(s), urllib.parse.quote_plus(s),',
      " html.escape(s), s.encode('ascii', 'xmlcharrefreplace').decode(), s.encode('ascii', 'backslashreplace').decode(),",
      " base64.b64encode(s.encode()).decode(), unicodedata.normalize('NFD', s), json.dumps(json.dumps({'p': s}))]",
      "sys.stdout.buffer.write('\\n'.join(forms).encode())",
    ].join('\n');
    for (const one of [secret, 'naïve\\"pâss\'w😀rd', 'пароль-qwe-7']) {
      const printed = execFileSync('python3', ['-c', program], {
        env: { ...process.env, S: one },
      }).toString();
      for (const line of createRedactor([one]).redact(printed).split('\n')) {
        expect(line.replaceAll(MASK, ''), line).toMatch(/^(?:b?['"]*|"\{\\"p\\": \\"\\"\}")$/);
      }
    }
  });
});

describe('false finds', () => {
  test.each(['ä', 'äöü', 'café', 'über'])('the short secret %s hides nothing but itself', (short) => {
    const text = 'The cafe is over there??? ???? A caf\ufffd, 100 % \\xe4 &auml; naïve overview… of it';
    expect(createRedactor([short]).redact(text)).toBe(text);
  });

  test('words that are like a password but for their accents stay', () => {
    expect(createRedactor(['élevé-plan']).redact('the plan is elevated')).toBe('the plan is elevated');
  });
});

describe('cut at a mark', () => {
  const known = createRedactor(['hunter2', 'Tr0ub4dor&3-zebra'], { words: ['billing'], hosts: [] });
  test.each([
    ['tool hunt…', `tool ${MASK}…`],
    ['tool hunt …, other', `tool ${MASK} …, other`],
    ['(tool Tr0u…) and more', `(tool ${MASK}…) and more`],
    ['Tr0ub4\n… 12 characters left out …\n-zebra', `${MASK}\n… 12 characters left out …\n${MASK}`],
    ['Tr0u\n-- … 12 characters left out here', `${MASK}\n-- … 12 characters left out here`],
    ['Tr0u\n[… 12 bytes left out …]\nebra x', `${MASK}\n[… 12 bytes left out …]\n${MASK} x`],
    ['…ter2 is wrong', `…${MASK} is wrong`],
    ['Tr0u...', `${MASK}...`],
  ])('%j', (text, shown) => {
    expect(known.redact(text)).toBe(shown);
    expect(known.redact(shown)).toBe(shown);
  });

  test.each(['the hunt', 'hunt for it …', 'hun…', 'zeb…', 'Troubadour…', 'billing… is done...'])(
    'nothing is hidden in %j',
    (text) => {
      expect(known.redact(text)).toBe(text);
    },
  );
});
