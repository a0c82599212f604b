import { nearest } from './nearest.js';
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
  return readable(typed).replaceAll('`', '').slice(0, 40);
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
