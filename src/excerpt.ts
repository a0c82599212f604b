/**
 * Cutting of texts that may hold secrets. A part of a secret is not found any more, so these take the redactor and
 * cut what it has left.
 */
type Redact = (text: string) => string;

/** The beginning of a text, at most `max` characters of it. */
export function beginningOf(text: string, max: number, redact: Redact): string {
  const shown = redact(text);
  return shown.length > max ? `${wholeEnd(shown.slice(0, max - 1))}…` : shown;
}

/** The same on one line: blanks and breaks of lines become single blanks. */
export function shortLine(text: string, max: number, redact: Redact): string {
  // Twice: a secret may hold several blanks, and it may have been wrapped.
  return beginningOf(redact(text).replace(/\s+/g, ' ').trim(), max, redact);
}

/** The end of a text, at most `max` characters of it. */
export function endOf(text: string, max: number, redact: Redact): string {
  const shown = redact(text);
  return shown.length > max ? `…${shown.slice(1 - max).replace(/^[\udc00-\udfff]/, '')}` : shown;
}

/**
 * The first words, for whoever has no redactor: no word is cut, and a mark tells the redactor that text is missing.
 * Only a word that takes more than a third of the room is.
 */
export function firstWords(text: string, max: number): string {
  if (text.length <= max) return text;
  const cut = wholeEnd(text.slice(0, max - 2));
  const words = /^(.*\S)\s/s.exec(cut)?.[1] ?? '';
  return `${words.length * 3 > max * 2 ? words : cut} …`;
}

const wholeEnd = (text: string) => text.replace(/[\ud800-\udbff]$/, '');
