/** How a piece of text looks. */
export type Look = 'plain' | 'bold' | 'italic' | 'strike' | 'code' | 'mention' | 'dim' | 'good' | 'bad';

/** Text of one look. A span never holds a line break. */
export interface Span {
  text: string;
  look: Look;
}

/** One line of a terminal, before it is painted. */
export type Line = Span[];

const CODES: Record<Exclude<Look, 'plain'>, string> = {
  bold: '1',
  italic: '3',
  strike: '9',
  code: '36',
  mention: '34',
  dim: '2',
  good: '32',
  bad: '31',
};

export function span(text: string, look: Look = 'plain'): Span {
  return { text, look };
}

/** Columns that a text takes in a terminal: most emoji take two, joiners and variation selectors none. */
export function columns(text: string): number {
  let sum = 0;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code === 0x200d || (code >= 0xfe00 && code <= 0xfe0f)) continue;
    sum += isWide(code) ? 2 : 1;
  }
  return sum;
}

function isWide(code: number): boolean {
  return (
    code >= 0x1f000 ||
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xff00 && code <= 0xff60) ||
    WIDE_SYMBOLS.has(code)
  );
}

const WIDE_SYMBOLS = new Set(
  [...'⌚⌛⏩⏪⏫⏬⏰⏳⚡⛔✅✋✨❌❎❓❔❕❗➕➖➗⭐⭕⚪⚫'].map((c) => c.codePointAt(0) ?? 0),
);

/** Columns of a line. */
export function lineColumns(line: Line): number {
  return line.reduce((sum, s) => sum + columns(s.text), 0);
}

/** Breaks a line at spaces so that no part is wider than `width`; words that are too long are cut. */
export function wrap(line: Line, width: number): Line[] {
  const lines: Line[] = [];
  let current: Line = [];
  let used = 0;
  const end = () => {
    lines.push(current);
    current = [];
    used = 0;
  };
  for (const { text, look } of line) {
    for (const word of text.split(/(?<=\s)(?=\S)/)) {
      let rest = word;
      if (used > 0 && used + columns(rest.trimEnd()) > width) end();
      while (columns(rest.trimEnd()) > width) {
        const head = take(rest, width);
        append(current, { text: head, look });
        rest = rest.slice(head.length);
        end();
      }
      append(current, { text: rest, look });
      used += columns(rest);
    }
  }
  lines.push(current);
  return lines;
}

/** Adds a span to a line; words of one look become one span again. */
function append(line: Line, next: Span): void {
  const last = line.at(-1);
  if (last?.look === next.look) line[line.length - 1] = span(last.text + next.text, last.look);
  else line.push(next);
}

/** As much of the beginning of `text` as fits into `width` columns; at least one character. */
function take(text: string, width: number): string {
  let head = '';
  for (const char of text) {
    if (head !== '' && columns(head + char) > width) break;
    head += char;
  }
  return head;
}

/** Cuts a line into parts of at most `width` columns and keeps every space, as code needs it. */
export function cut(text: string, width: number): string[] {
  const parts: string[] = [];
  let rest = text;
  while (columns(rest) > width) {
    const head = take(rest, width);
    parts.push(head);
    rest = rest.slice(head.length);
  }
  return [...parts, rest];
}

/** A line as text, with ANSI colours or without. Trailing spaces are cut off. */
export function paint(line: Line, colour: boolean): string {
  const text = line.map((s) => (colour && s.look !== 'plain' && s.text.trim() !== '' ? ansi(s) : s.text));
  return text.join('').trimEnd();
}

function ansi({ text, look }: Span): string {
  return look === 'plain' ? text : `\u001b[${CODES[look]}m${text}\u001b[0m`;
}
