import { nearest } from './nearest.js';
import { type CommandName, commandNames, SLASH, usages } from './usages.js';

/** What a person asked for. */
export type ParsedCommand =
  | { readonly name: 'skip'; readonly step: string; readonly reason: string }
  | { readonly name: 'stop'; readonly now: boolean; readonly reason: string }
  | { readonly name: 'rollback' | 'close'; readonly reason: string }
  | { readonly name: 'audit'; readonly run: number | null }
  | { readonly name: Exclude<CommandName, 'skip' | 'stop' | 'rollback' | 'close' | 'audit'> };

export type Parsed =
  | { readonly kind: 'command'; readonly command: ParsedCommand }
  | {
      readonly kind: 'error';
      readonly code: 'unknown_command' | 'bad_arguments';
      /** The command that was recognised, or `/m10` alone. */
      readonly command: string;
      readonly why: string;
      readonly instead: string;
    };

/** Most characters of a command's text, and of a reason in it. */
export const MAX_TEXT = 2_000;
export const MAX_REASON = 500;

/**
 * Reads the text after `/m10`, as Slack sends it with `should_escape`. Pure.
 *
 * A reason comes out as people typed it; whoever shows it escapes it again. Stopping is never refused over
 * its wording: a reason that is too long is cut.
 */
export function parse(text: string): Parsed {
  const words = text.slice(0, MAX_TEXT).trim().split(/\s+/);
  const word = (words[0] ?? '').toLowerCase().replace(/[^a-z]+$/, '');
  if (words[0] === '' || words[0] === undefined) return { kind: 'command', command: { name: 'help' } };

  const name = commandNames.find((known) => known === word);
  if (name === 'stop') return { kind: 'command', command: stopOf(words.slice(1)) };
  if (text.length > MAX_TEXT) {
    return error(
      'bad_arguments',
      name === undefined ? SLASH : `${SLASH} ${name}`,
      // How long it was is not known here: what is stored of a delivery is cut.
      `That text is too long: a command takes ${MAX_TEXT.toLocaleString('en')} characters at most.`,
      'Say it shorter, and put the long form into the channel.',
    );
  }
  return name === undefined ? unknown(words[0]) : argumentsOf(name, words.slice(1));
}

function argumentsOf(name: Exclude<CommandName, 'stop'>, rest: readonly string[]): Parsed {
  const reason = readable(rest.join(' '));
  switch (name) {
    case 'skip': {
      const step = readable(rest[0] ?? '').replaceAll('`', '');
      const why = readable(rest.slice(1).join(' '));
      if (step === '' || why === '')
        return wrong(name, 'A skip names the step and a reason, for the record.');
      return tooLong(name, why) ?? { kind: 'command', command: { name, step, reason: why } };
    }
    case 'close':
      if (reason === '') return wrong(name, 'Closing a run needs a reason, for the record.');
      return tooLong(name, reason) ?? { kind: 'command', command: { name, reason } };
    case 'rollback':
      return tooLong(name, reason) ?? { kind: 'command', command: { name, reason } };
    case 'audit': {
      if (rest.length === 0) return { kind: 'command', command: { name, run: null } };
      const number = /^#?(\d{1,9})$/.exec(rest[0] ?? '')?.[1];
      if (number === undefined || rest.length > 1) return wrong(name, 'A run is named by its number.');
      return { kind: 'command', command: { name, run: Number(number) } };
    }
    case 'help':
    case 'status':
      return { kind: 'command', command: { name } };
    case 'preflight':
    case 'next':
    case 'plan':
    case 'backup':
    case 'retry':
    case 'resume':
      if (rest.length > 0) return wrong(name, `\`${SLASH} ${name}\` takes nothing more.`);
      return { kind: 'command', command: { name } };
  }
}

function stopOf(rest: readonly string[]): ParsedCommand {
  const now = rest[0]?.toLowerCase().replace(/[^a-z]+$/, '') === 'now';
  const reason = readable(rest.slice(now ? 1 : 0).join(' '));
  return {
    name: 'stop',
    now,
    reason: reason.length > MAX_REASON ? `${reason.slice(0, MAX_REASON - 1)}…` : reason,
  };
}

function unknown(typed: string): Parsed {
  const shown = readable(typed).replaceAll('`', '').slice(0, 40);
  const near = nearest(typed.toLowerCase(), commandNames);
  const why = shown === '' ? 'That is not a command.' : `There is no command "${shown}".`;
  const instead =
    near === undefined
      ? `\`${SLASH} help\` lists the commands.`
      : `Did you mean \`${usages[near].usage}\`? \`${SLASH} help\` lists the commands.`;
  return error('unknown_command', SLASH, why, instead);
}

function tooLong(name: CommandName, reason: string): Parsed | undefined {
  if (reason.length <= MAX_REASON) return undefined;
  return wrong(name, `The reason has ${reason.length} characters; ${MAX_REASON} is the most.`);
}

function wrong(name: CommandName, why: string): Parsed {
  return error('bad_arguments', `${SLASH} ${name}`, why, `Say \`${usages[name].usage}\`.`);
}

function error(
  code: 'unknown_command' | 'bad_arguments',
  command: string,
  why: string,
  instead: string,
): Parsed {
  return { kind: 'error', code, command, why, instead };
}

/** Slack's escaped text as it was typed; mentions and links become what they look like. */
function readable(text: string): string {
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
