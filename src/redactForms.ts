/**
 * The spellings in which programs repeat a secret: as it is, and as URLs, forms, JSON, SQL, DSNs, shells, pages,
 * Python and basic authentication write it. What is not ASCII has most of them, since each program that cannot
 * print it has an escape of its own.
 *
 * @param shortest fewer characters than this are spelt in no other way: their escapes are long and no rarer
 */
export function formsOf(secret: string, shortest: number): string[] {
  const values = new Set<string>();
  // A keyboard of one system composes an accent that another one leaves apart.
  for (const plain of [secret, decoded(secret)])
    for (const value of [plain, plain.normalize('NFC'), plain.normalize('NFD')]) values.add(value);
  const forms = new Set<string>();
  for (const value of values) {
    forms.add(value);
    // An accent counts with its letter.
    if ([...value.normalize('NFC')].length < shortest) continue;
    for (const form of [...quotations(value), ...ofUrls(value), ...ofPages(value), ...ofBase64(value)])
      forms.add(form);
    if (isAscii(value)) continue;
    for (const form of [...ofEscapes(value), ...ofOtherBytes(value)]) {
      forms.add(form);
      // The same in a line of a log that is JSON.
      forms.add(inJson(form));
    }
  }
  return [...forms];
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ASCII is meant
const isAscii = (text: string) => /^[\x00-\x7f]*$/.test(text);
const inJson = (text: string) => JSON.stringify(text).slice(1, -1);

/** Without the escapes of a URL; as it is where it has none. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function quotations(value: string): string[] {
  return [
    value,
    value.replace(/\p{Surrogate}/gu, '\uFFFD'),
    inJson(value),
    value.replaceAll("'", "''"),
    value.replaceAll("'", "'\\''"),
    value.replace(/[\\']/g, '\\$&'),
  ];
}

function ofUrls(value: string): string[] {
  const encoded = encodeURIComponent(value.replace(/\p{Surrogate}/gu, '\uFFFD'));
  const strict = encoded.replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const all = [
    encoded,
    strict,
    strict.replaceAll('%20', '+'),
    // Python's quote leaves slashes, SQLAlchemy blanks and plus signs.
    strict.replaceAll('%2F', '/'),
    strict.replaceAll('%20', ' ').replaceAll('%2B', '+'),
    // An address within an address, and in an ini file of Alembic.
    encodeURIComponent(encoded),
    strict.replaceAll('%', '%%'),
    ...(isLatin1(value) ? [bytesAs(value, 'latin1', percent)] : []),
  ];
  return [...all, ...all.map(lowerHex)];
}

function lowerHex(encoded: string): string {
  return encoded.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
}

const hex = (code: number, digits: number) => code.toString(16).padStart(digits, '0');
const percent = (byte: number) => `%${hex(byte, 2).toUpperCase()}`;
const isLatin1 = (text: string) => /^[\0-\xff]*$/.test(text) && !isAscii(text);

/** Each byte that is no letter, digit or harmless sign in another way. */
function bytesAs(value: string, encoding: 'utf8' | 'latin1', spelt: (byte: number) => string): string {
  return [...Buffer.from(value, encoding)]
    .map((byte) =>
      byte < 0x80 && /[\w.~-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : spelt(byte),
    )
    .join('');
}

/** The characters that a page has names for: U+00A0 to U+00FF, in order. */
const named =
  'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute ' +
  'micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig ' +
  'Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash ' +
  'Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ' +
  'ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc ' +
  'uuml yacute thorn yuml';
const names = new Map(named.split(' ').map((name, n) => [String.fromCodePoint(0xa0 + n), `&${name};`]));
const marks: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function ofPages(value: string): string[] {
  const escaped = value.replace(/[&<>"]/g, (char) => marks[char] ?? char);
  const apostrophes = ['&#39;', '&#x27;', '&#039;', '&apos;', "'"].map((one) => escaped.replaceAll("'", one));
  const plain = [...apostrophes, ...apostrophes.map((one) => one.replaceAll('&quot;', '&#34;'))];
  if (isAscii(value)) return plain;
  const entities: ((char: string, code: number) => string)[] = [
    (_, code) => `&#${code};`,
    (_, code) => `&#x${code.toString(16)};`,
    (_, code) => `&#x${code.toString(16).toUpperCase()};`,
    (char, code) => names.get(char) ?? `&#${code};`,
    (char) => names.get(char) ?? char,
  ];
  return [...plain, ...plain.flatMap((one) => entities.map((entity) => beyondAscii(one, entity)))];
}

/** Each character that is not ASCII in another way. */
function beyondAscii(text: string, spelt: (char: string, code: number) => string): string {
  return [...text]
    .map((char) => {
      const code = char.codePointAt(0) ?? 0;
      return code < 0x80 ? char : spelt(char, code);
    })
    .join('');
}

const units = (char: string, spelt: (unit: number) => string) =>
  Array.from({ length: char.length }, (_, n) => spelt(char.charCodeAt(n))).join('');
const bytes = (char: string, spelt: (byte: number) => string) => [...Buffer.from(char)].map(spelt).join('');

/** `\xe4` and `\U0001f600` of Python, `\u00e4` of JSON, `\00e4` of PostgreSQL, `\303\244` of C, and of others. */
const escapes: readonly ((char: string, code: number) => string)[] = [
  (_, code) =>
    code < 0x100 ? `\\x${hex(code, 2)}` : code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`,
  (char) => units(char, (unit) => `\\u${hex(unit, 4)}`),
  (char) => units(char, (unit) => `\\u${hex(unit, 4).toUpperCase()}`),
  (_, code) => `\\u{${code.toString(16)}}`,
  (_, code) => (code < 0x10000 ? `\\${hex(code, 4)}` : `\\+${hex(code, 6)}`),
  (char) => bytes(char, (byte) => `\\x${hex(byte, 2)}`),
  (char) => bytes(char, (byte) => `\\x${hex(byte, 2).toUpperCase()}`),
  (char) => bytes(char, (byte) => `\\${byte.toString(8).padStart(3, '0')}`),
  (char, code) => (code < 0x100 ? `\\${code.toString(8).padStart(3, '0')}` : char),
  // Bytes of the environment that Python could not read.
  (char) => bytes(char, (byte) => `\\udc${hex(byte, 2)}`),
];

function ofEscapes(value: string): string[] {
  const bases = new Set([
    value,
    value.replaceAll('\\', '\\\\'),
    value.replace(/[\\"]/g, '\\$&'),
    value.replace(/[\\']/g, '\\$&'),
  ]);
  return [...bases].flatMap((base) => escapes.map((spelt) => beyondAscii(base, spelt)));
}

/** Read in the wrong encoding, or printed where the character does not exist. */
function ofOtherBytes(value: string): string[] {
  const wrong = Buffer.from(value).toString('latin1');
  // Of "äöü" nothing would be left to tell it by.
  if (value.replace(/[^0-9A-Za-z]/g, '').length < 4) return [wrong];
  const missing = ['?', '\uFFFD'];
  return [
    wrong,
    ...missing.flatMap((mark) => [
      beyondAscii(value, () => mark),
      beyondAscii(value, (char) => bytes(char, () => mark)),
    ]),
  ];
}

/** In base64, also behind a name and a colon as in basic authentication, where the bytes are spelt in three ways. */
function ofBase64(value: string): string[] {
  const all = [Buffer.from(value), ...(isLatin1(value) ? [Buffer.from(value, 'latin1')] : [])];
  return all.flatMap((one) => [
    one.toString('base64'),
    one.toString('base64url'),
    ...[0, 1, 2].flatMap((before) => base64Behind(before, one)),
  ]);
}

/** What base64 makes of the bytes when others stand around them: the characters that depend on these alone. */
function base64Behind(before: number, bytes: Buffer): string[] {
  const all = Buffer.concat([Buffer.alloc(before), bytes]);
  const [from, to] = [Math.ceil((before * 8) / 6), Math.floor((all.length * 8) / 6)];
  return [all.toString('base64').slice(from, to), all.toString('base64url').slice(from, to)];
}
