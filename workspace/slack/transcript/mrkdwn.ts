import { glyph } from './emoji.js';
import type { Names } from './names.js';
import { type Line, type Look, type Span, span } from './spans.js';

/** A part of a mrkdwn text: lines to wrap, a quotation, or code to leave as it is. */
export type Piece = { kind: 'text' | 'quote'; line: Line } | { kind: 'code'; lines: string[] };

const ENTITIES: Record<string, string> = { '&lt;': '<', '&gt;': '>', '&amp;': '&' };

function decode(text: string): string {
  return text.replace(/&(?:lt|gt|amp);/g, (entity) => ENTITIES[entity] ?? entity);
}

/** Reads mrkdwn: bold, italic, strike, code, code blocks, quotations, links, mentions and emoji. */
export function parseMrkdwn(text: string, names: Names, look: Look = 'plain'): Piece[] {
  return text.split('```').flatMap((part, i): Piece[] => {
    if (i % 2 === 1) return [{ kind: 'code', lines: decode(part.replace(/^\n|\n$/g, '')).split('\n') }];
    const body = part.replace(i > 0 ? /^\n/ : /^(?!)/, '').replace(/\n$/, '');
    if (body === '' && i > 0) return [];
    return body.split('\n').map((line) => {
      const quoted = /^(?:&gt;|>) ?(.*)$/.exec(line)?.[1];
      return quoted === undefined
        ? { kind: 'text', line: parseInline(line, names, look) }
        : { kind: 'quote', line: parseInline(quoted, names, look) };
    });
  });
}

/**
 * One after the other: inline code, links and mentions in angle brackets, emoji, and the marks for bold, italic
 * and strike, which count only at the edge of a word.
 */
const INLINE =
  /`([^`\n]+)`|<([^<>\n]+)>|:([a-z0-9_+'-]+(?:::skin-tone-[2-6])?):|(?<![\w*])\*(?=\S)([^*\n]*[^*\s])\*(?![\w*])|(?<![\w_])_(?=\S)([^_\n]*[^_\s])_(?![\w_])|(?<![\w~])~(?=\S)([^~\n]*[^~\s])~(?![\w~])/g;

function parseInline(text: string, names: Names, look: Look): Span[] {
  const spans: Span[] = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, link, emoji, bold, italic, strike] = match;
    if (match.index > from) spans.push(span(decode(text.slice(from, match.index)), look));
    from = match.index + whole.length;
    if (code !== undefined) spans.push(span(decode(code), 'code'));
    else if (link !== undefined) spans.push(...parseLink(link, names, look));
    else if (emoji !== undefined) spans.push(span(glyph(emoji), look));
    else if (bold !== undefined) spans.push(...parseInline(bold, names, 'bold'));
    else if (italic !== undefined)
      spans.push(...parseInline(italic, names, look === 'plain' ? 'italic' : look));
    else if (strike !== undefined) spans.push(...parseInline(strike, names, 'strike'));
  }
  if (from < text.length) spans.push(span(decode(text.slice(from)), look));
  return spans;
}

function parseLink(link: string, names: Names, look: Look): Span[] {
  const [target = '', label] = link.split('|');
  const id = target.slice(1);
  if (target.startsWith('@')) return [span(`@${names.user(id)}`, 'mention')];
  if (target.startsWith('#')) return [span(`#${label || names.channel(id)}`, 'mention')];
  if (target.startsWith('!subteam^')) return [span(label ?? `@${names.group(target.slice(9))}`, 'mention')];
  // A date carries what to show where dates are not understood.
  if (target.startsWith('!date^')) return [span(decode(label ?? ''), look)];
  if (target.startsWith('!')) return [span(`@${id}`, 'mention')];
  const address = decode(target);
  if (label === undefined || decode(label) === address) return [span(address, look)];
  return [span(decode(label), look), span(` (${address})`, 'dim')];
}
