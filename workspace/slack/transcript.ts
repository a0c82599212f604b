import type { SeenEphemeral, SeenMessage } from './people/protocol.js';
import { blockLines, textLines } from './transcript/blocks.js';
import { glyph } from './transcript/emoji.js';
import { defaultNames, type Names } from './transcript/names.js';
import { type Line, paint, span } from './transcript/spans.js';

/** How a transcript looks. */
export interface TranscriptOptions {
  /** ANSI colours; off by default. */
  colour?: boolean;
  /** Columns of the terminal; 100 by default. */
  width?: number;
  /** What ids are called; by default the people of the stand-in. */
  names?: Names;
  /** IANA name of the time zone of the times; UTC by default. */
  timeZone?: string;
}

const TIME_COLUMNS = 10;

/** The time of a message, as `14:02:07`. */
export function clock(ts: string, timeZone = 'UTC'): string {
  return new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).format(new Date(Number(ts) * 1000));
}

function bytes(size: number): string {
  if (size < 1000) return `${size} B`;
  return size < 1_000_000 ? `${(size / 1000).toFixed(1)} kB` : `${(size / 1_000_000).toFixed(1)} MB`;
}

function bodyLines(message: SeenMessage | SeenEphemeral, names: Names, width: number): Line[] {
  if (message.blocks.length === 0) return textLines({ type: 'mrkdwn', text: message.text }, names, width);
  return message.blocks.flatMap((block) => blockLines(block, names, width));
}

function below(message: SeenMessage, names: Names): Line[] {
  const files = message.files.map((f): Line => {
    const title = f.title === f.name ? '' : ` (${f.title})`;
    return [span('📎 '), span(f.name, 'code'), span(`${title} · ${bytes(f.size)}`, 'dim')];
  });
  const reactions = message.reactions.flatMap((r, i): Line => {
    const who = r.users.map((id) => `@${names.user(id)}`).join(' ');
    return [span(`${i > 0 ? '   ' : ''}${glyph(r.name)} ${r.users.length} `), span(who, 'mention')];
  });
  return reactions.length === 0 ? files : [...files, reactions];
}

/** The first line (time, author, remark) and everything under it, replies indented. */
function assemble(
  ts: string,
  author: string,
  remark: string,
  body: Line[],
  reply: boolean,
  o: TranscriptOptions,
) {
  const margin = reply ? '    ' : '';
  const head: Line = [
    span(margin),
    span(clock(ts, o.timeZone).padEnd(TIME_COLUMNS), 'dim'),
    span(`${reply ? '↳ ' : ''}@${author}`, 'bold'),
    span(remark === '' ? '' : `  ${remark}`, 'dim'),
  ];
  const inset = span(margin + ' '.repeat(TIME_COLUMNS));
  return [head, ...body.map((line) => [inset, ...line])].map((line) => paint(line, o.colour ?? false));
}

function room(o: TranscriptOptions, reply: boolean): number {
  return Math.max(30, (o.width ?? 100) - TIME_COLUMNS - (reply ? 4 : 0));
}

/** One message as lines of a terminal. A reply is indented. */
export function renderMessage(message: SeenMessage, options: TranscriptOptions = {}): string[] {
  const names = options.names ?? defaultNames();
  const reply = message.thread_ts !== undefined;
  const body = bodyLines(message, names, room(options, reply));
  const edited = message.edited === null ? '' : `(updated ${clock(message.edited.ts, options.timeZone)})`;
  const lines = [...body.filter((line) => line.length > 0 || message.text !== ''), ...below(message, names)];
  return assemble(message.ts, names.user(message.user), edited, lines, reply, options);
}

/** A message that only one person sees, as lines of a terminal. */
export function renderEphemeral(message: SeenEphemeral, options: TranscriptOptions = {}): string[] {
  const names = options.names ?? defaultNames();
  const body = bodyLines(message, names, room(options, false));
  const remark = `(only @${names.user(message.to)} sees this)`;
  return assemble(message.ts, 'm10bot', remark, body, message.thread_ts !== undefined, options);
}

/** A channel as lines: each message is followed by its replies, an empty line stands between threads. */
export function renderChannel(messages: readonly SeenMessage[], options: TranscriptOptions = {}): string[] {
  const known = new Set(messages.map((m) => m.ts));
  const tops = messages.filter((m) => m.thread_ts === undefined || !known.has(m.thread_ts));
  return tops.flatMap((top, i) => {
    const replies = messages.filter((m) => m.thread_ts === top.ts);
    return [...(i > 0 ? [''] : []), ...[top, ...replies].flatMap((m) => renderMessage(m, options))];
  });
}
