import { nearest } from '../nearest.js';
import { SLASH, type UsageName, usages } from './usages.js';

/** Most characters of a command's text, and of a reason in it. */
export const MAX_TEXT = 2_000;
export const MAX_REASON = 500;

export interface ParseError {
  readonly kind: 'error';
  readonly code: 'unknown_command' | 'bad_arguments';
  /** The command that was recognised, or `/m10` alone. */
  readonly command: string;
  readonly why: string;
  readonly instead: string;
}

export function error(code: ParseError['code'], command: string, why: string, instead: string): ParseError {
  return { kind: 'error', code, command, why, instead };
}

/** The command was recognised, what follows it was not. */
export function wrong(name: UsageName, why: string): ParseError {
  return error('bad_arguments', `${SLASH} ${name}`, why, `Say \`${usages[name].usage}\`.`);
}

export function tooLong(name: UsageName, reason: string): ParseError | undefined {
  if (reason.length <= MAX_REASON) return undefined;
  return wrong(name, `The reason has ${reason.length} characters; ${MAX_REASON} is the most.`);
}

/** A reason that fits, cut where it must be. */
export function shortened(reason: string): string {
  return reason.length > MAX_REASON ? `${reason.slice(0, MAX_REASON - 1)}…` : reason;
}

/** A word as it is quoted back: short, and without what would end the quotation. */
export function quote(typed: string): string {
  // A sign that nobody sees is shown by its number, or the answer would quote the very word that is known.
  return readable(typed)
    .replaceAll('`', '')
    .replace(
      /[\p{Cf}\p{Cc}]/gu,
      (sign) => `<U+${sign.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}>`,
    )
    .slice(0, 60);
}

/** Characters without a picture of their own: format, control, and letters that are blank. */
const unseen = /\p{Cf}|\p{Cc}|\p{Default_Ignorable_Code_Point}/gu;

/**
 * A word of a command as a keyboard would have it: what was pasted brings signs that nobody sees, dashes of other
 * kinds, wide letters and quotation marks. For words that the bot knows; people's own text stays as it is.
 */
export function plain(word: string): string {
  return word
    .normalize('NFKC')
    .replace(unseen, '')
    .replace(/[\p{Pd}\u2212]/gu, '-')
    .replace(/[`\u2018-\u201f\u00ab\u00bb]/g, '');
}

/** The words of a command, also of one that was pasted whole with its slash, in backticks or quotation marks. */
export function wordsOf(text: string): string[] {
  const words = text.split(/[\s\p{Z}]+/u).filter((word) => word.replace(unseen, '') !== '');
  const opened = /^["']?$/.exec(plain(words[0] ?? '').slice(0, 1))?.[0];
  if (opened === '"' || opened === "'") {
    words[0] = plain(words[0] ?? '').slice(1);
    const last = words.length - 1;
    words[last] = (words[last] ?? '').replace(new RegExp(`${opened}$`), '');
  }
  const [first = ''] = words;
  if (plain(first).toLowerCase() === SLASH) words.shift();
  return words.filter((word) => word !== '');
}

/** The usage of the command that was most likely meant. */
export function meant(typed: string, known: readonly UsageName[]): string {
  const near = nearest(typed.toLowerCase(), known);
  return near === undefined
    ? `\`${SLASH} help\` lists the commands.`
    : `Did you mean \`${usages[near].usage}\`? \`${SLASH} help\` lists the commands.`;
}

/** Slack's escaped text as it was typed; mentions and links become what they look like. */
export function readable(text: string): string {
  return text
    .replace(/<([@#!])([^|>]*)(?:\|([^>]*))?>/g, (_, sign: string, id: string, label?: string) =>
      label === undefined || label === ''
        ? `${sign === '#' ? '#' : '@'}${id}`
        : `${sign === '#' ? '#' : '@'}${label}`,
    )
    .replace(/<([a-z]+:[^|>]*)(?:\|[^>]*)?>/gi, '$1')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
