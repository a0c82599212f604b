import { type M10Command, type M10Name, parseM10 } from './parse-m10.js';
import {
  error,
  MAX_TEXT,
  meant,
  type ParseError,
  plain,
  quote,
  readable,
  shortened,
  tooLong,
  wordsOf,
  wrong,
} from './parse-words.js';
import { type CommandName, commandNames, SLASH } from './usages.js';

/** What a person asked for. */
export type ParsedCommand =
  | { readonly name: 'skip'; readonly step: string; readonly reason: string }
  | { readonly name: 'stop'; readonly now: boolean; readonly reason: string }
  | { readonly name: 'rollback' | 'close'; readonly reason: string }
  | { readonly name: 'audit'; readonly run: number | null }
  | { readonly name: Exclude<CommandName, 'skip' | 'stop' | 'rollback' | 'close' | 'audit' | M10Name> }
  | M10Command;

export type Parsed = { readonly kind: 'command'; readonly command: ParsedCommand } | ParseError;

/**
 * Reads the text after `/m10`, as Slack sends it with `should_escape`. Pure.
 *
 * A reason comes out as people typed it; whoever shows it escapes it again. Stopping is never refused over
 * its wording: a reason that is too long is cut.
 */
export function parse(text: string): Parsed {
  const words = wordsOf(text.slice(0, MAX_TEXT));
  const word = keyword(words[0] ?? '');
  if (words[0] === undefined) return { kind: 'command', command: { name: 'help' } };

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
      const step = plain(readable(rest[0] ?? ''));
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
      const number = /^#?(\d{1,9})$/.exec(plain(rest[0] ?? ''))?.[1];
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
    case 'jobs':
    case 'locks':
    case 'outbox':
    case 'replays':
    case 'replay':
      return parseM10(name, rest);
  }
}

function stopOf(rest: readonly string[]): ParsedCommand {
  const now = keyword(rest[0] ?? '') === 'now';
  const reason = readable(rest.slice(now ? 1 : 0).join(' '));
  return {
    name: 'stop',
    now,
    reason: shortened(reason),
  };
}

/** A word in small letters, without what people put around it: quotation marks, a slash, points of exclamation. */
function keyword(typed: string): string {
  return plain(typed)
    .toLowerCase()
    .replace(/^[^a-z]+|[^a-z]+$/g, '');
}

function unknown(typed: string): Parsed {
  const shown = quote(typed);
  const why = shown === '' ? 'That is not a command.' : `There is no command "${shown}".`;
  return error('unknown_command', SLASH, why, meant(typed, commandNames));
}
