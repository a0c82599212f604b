import { code, line } from '../render/escape.js';
import { message, preformatted, section } from '../render/message.js';
import type { FileOperation, MessageOperation } from './operation.js';

/** Characters of a part: Slack takes about 13,000 in the blocks of one message. */
const PART = 8_000;
/** More messages than this nobody reads, and they would keep everything else waiting. */
const MOST = 25;

/** The messages that show a file where Slack takes no files; null when they would be too many. */
export function fileParts(operation: FileOperation, content: string): MessageOperation[] | null {
  const texts = cutAtLines(content);
  if (texts.length > MOST) return null;
  const { key, channel, parent, origin, filename, title } = operation;
  return texts.map((text, index) => {
    const lead = `${line(title)} (${code(filename)}), part ${index + 1} of ${texts.length}`;
    return {
      key: partKey(key, index + 1),
      channel,
      parent,
      message: message(lead, [section(`*${lead}*`), preformatted(text)]),
      mode: 'once',
      origin,
    };
  });
}

/** Where a part of a file is remembered. */
export const partKey = (key: string, part: number) => `${key}:part:${part}`;

/** Pieces that are whole lines wherever a line fits; joined they are the text. */
function cutAtLines(text: string): string[] {
  const out: string[] = [];
  let rest = text;
  while (rest.length > PART) {
    const end = rest.lastIndexOf('\n', PART - 1);
    const at = end <= 0 ? whole(rest, PART) : end + 1;
    out.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  return rest === '' ? out : [...out, rest];
}

/** The cut, moved so that it goes through no character. */
const whole = (text: string, at: number) => (/[\ud800-\udbff]/.test(text.charAt(at - 1)) ? at - 1 : at);
