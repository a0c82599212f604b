import { nearest } from '../nearest.js';

/** What can be asked of the program. `operand` is what may follow the words. */
const commands = [
  {
    name: 'start',
    operand: 'none',
    shown: 'start',
    about: 'Run the bot until it is told to end (SIGTERM or Ctrl-C)',
  },
  {
    name: 'doctor',
    operand: 'none',
    shown: 'doctor',
    about: 'Check tokens, people, databases, programs and room, all at once',
  },
  {
    name: 'runbook check',
    operand: 'needed',
    shown: 'runbook check FILE',
    about: 'Read a runbook and say what is wrong with it; needs no connection',
  },
  {
    name: 'runbook schema',
    operand: 'none',
    shown: 'runbook schema',
    about: 'Print the JSON Schema of runbooks, for editors',
  },
  {
    name: 'runbook shape',
    operand: 'none',
    shown: 'runbook shape --target NAME --schema NAME',
    about: 'Print the shape of a schema as it stands, for postgres.objects',
  },
  {
    name: 'audit verify',
    operand: 'none',
    shown: 'audit verify [--head POSITION:HASH]…',
    about: 'Recompute the hash chain of the journal; a head is what the channel was told',
  },
  {
    name: 'audit export',
    operand: 'possible',
    shown: 'audit export [RUN]',
    about: 'Print the journal, or one run of it, as lines of JSON',
  },
  {
    name: 'state migrate',
    operand: 'none',
    shown: 'state migrate',
    about: "Bring the bot's own tables to this release, as the owner that STATE_DATABASE_URL names",
  },
  {
    name: 'audit accept',
    operand: 'possible',
    shown: 'audit accept REASON',
    about: 'Take the journal as it is, after people have looked at a mismatch',
  },
  { name: 'help', operand: 'none', shown: 'help', about: 'Show this' },
] as const;

export type CommandName = (typeof commands)[number]['name'];

export type Asked =
  | { readonly kind: 'command'; readonly name: CommandName; readonly operand: string | null }
  | { readonly kind: 'wrong'; readonly message: string };

/** Finds the command that the words name. */
export function readCommand(words: readonly string[]): Asked {
  const [first] = words;
  if (first === undefined) return { kind: 'wrong', message: 'Expected a command, found none.' };
  const command =
    commands.find(({ name }) => name === first) ??
    commands.find(({ name }) => name === words.slice(0, 2).join(' '));
  if (command === undefined) return { kind: 'wrong', message: unknownWords(words) };
  const { name, shown } = command;
  const rest = words.slice(name.split(' ').length);
  const most = command.operand === 'none' ? 0 : 1;
  if (rest.length > most) {
    return {
      kind: 'wrong',
      message: `Expected nothing after "${shown}", found "${rest.slice(most).join(' ')}".`,
    };
  }
  const operand = rest[0] ?? null;
  if (command.operand === 'needed' && operand === null) {
    return { kind: 'wrong', message: `Expected "${shown}", found nothing after "${name}".` };
  }
  return { kind: 'command', name, operand };
}

function unknownWords(words: readonly string[]): string {
  const [first = '', second] = words;
  const names = commands.map(({ name }) => name);
  const ofFirst = names.filter((name) => name.startsWith(`${first} `));
  if (ofFirst.length > 0) {
    const seconds = ofFirst.map((name) => name.slice(first.length + 1));
    const meant = second === undefined ? undefined : nearest(second, seconds);
    const found = second === undefined ? 'nothing' : `"${second}"`;
    const hint = meant === undefined ? '' : ` Did you mean "${first} ${meant}"?`;
    return `Expected ${seconds.join(' or ')} after "${first}", found ${found}.${hint}`;
  }
  const firsts = [...new Set(names.map((name) => name.split(' ')[0] ?? name))];
  // "check FILE" is "runbook check FILE" begun in the middle.
  const meant = names.find((name) => name.split(' ')[1] === first) ?? nearest(first, firsts);
  return `"${first}" is not a command.${meant === undefined ? '' : ` Did you mean "${meant}"?`}`;
}

/** All commands, one on a line. */
export function usage(): string {
  const width = Math.max(...commands.map(({ shown }) => shown.length));
  return [
    'Usage: m10bot COMMAND',
    '',
    ...commands.map(({ shown, about }) => `  ${shown.padEnd(width)}  ${about}`),
    '',
    'The configuration is m10.yml in the working directory, or the file that M10_CONFIG names.',
    'Exit codes: 0 done, 1 a problem was found, 2 the command was not understood.',
  ].join('\n');
}
