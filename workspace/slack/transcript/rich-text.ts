import { arrayAt, isObject, stringAt } from '../json.js';
import { glyph } from './emoji.js';
import type { Names } from './names.js';
import { cut, type Line, type Look, type Span, span, wrap } from './spans.js';

/** The bar in front of code. */
export function codeLines(lines: readonly string[], width: number): Line[] {
  return lines.flatMap((line) =>
    cut(line.replaceAll('\t', '    '), width - 2).map((part) => [span('│ ', 'dim'), span(part, 'code')]),
  );
}

/** The bar in front of a quotation. */
export function quoteLines(line: Line, width: number): Line[] {
  return wrap(line, width - 2).map((part) => [span('▏ ', 'dim'), ...part]);
}

function lookOf(element: unknown): Look {
  const style = isObject(element) && isObject(element.style) ? element.style : {};
  if (style.code === true) return 'code';
  if (style.bold === true) return 'bold';
  if (style.strike === true) return 'strike';
  return style.italic === true ? 'italic' : 'plain';
}

function inline(element: unknown, names: Names): Span[] {
  const look = lookOf(element);
  const at = (key: string) => stringAt(element, key) ?? '';
  switch (stringAt(element, 'type')) {
    case 'text':
      return [span(at('text'), look)];
    case 'link': {
      const label = at('text');
      if (label === '' || label === at('url')) return [span(at('url'), look)];
      return [span(label, look), span(` (${at('url')})`, 'dim')];
    }
    case 'emoji':
      return [span(glyph(at('name')), look)];
    case 'user':
      return [span(`@${names.user(at('user_id'))}`, 'mention')];
    case 'channel':
      return [span(`#${names.channel(at('channel_id'))}`, 'mention')];
    case 'usergroup':
      return [span(`@${names.group(at('usergroup_id'))}`, 'mention')];
    case 'broadcast':
      return [span(`@${at('range')}`, 'mention')];
    case 'date':
      return [span(at('fallback'), look)];
    default:
      return [span(at('value'), look)];
  }
}

/** Spans with line breaks inside become lines without. */
function lines(spans: readonly Span[]): Line[] {
  const out: Line[] = [[]];
  for (const { text, look } of spans) {
    text.split('\n').forEach((part, i) => {
      if (i > 0) out.push([]);
      if (part !== '') out.at(-1)?.push(span(part, look));
    });
  }
  if (out.length > 1 && out.at(-1)?.length === 0) out.pop();
  return out;
}

function flow(element: unknown, names: Names): Line[] {
  return lines(arrayAt(element, 'elements').flatMap((e) => inline(e, names)));
}

function listLines(list: unknown, names: Names, width: number): Line[] {
  const indent = isObject(list) && typeof list.indent === 'number' ? list.indent : 0;
  const offset = isObject(list) && typeof list.offset === 'number' ? list.offset : 0;
  const ordered = stringAt(list, 'style') === 'ordered';
  const margin = '  '.repeat(indent);
  return arrayAt(list, 'elements').flatMap((item, i) => {
    const mark = ordered ? `${i + 1 + offset}. ` : '• ';
    const body = flow(item, names).flatMap((line) => wrap(line, width - margin.length - mark.length));
    return body.map((line, j) => [span(margin + (j === 0 ? mark : ' '.repeat(mark.length))), ...line]);
  });
}

/** A rich_text block as lines. */
export function richTextLines(block: unknown, names: Names, width: number): Line[] {
  return arrayAt(block, 'elements').flatMap((element) => {
    switch (stringAt(element, 'type')) {
      case 'rich_text_list':
        return listLines(element, names, width);
      case 'rich_text_preformatted': {
        const text = arrayAt(element, 'elements').flatMap((e) => inline(e, names));
        const code = text.map((s) => s.text).join('');
        return codeLines(code.replace(/\n$/, '').split('\n'), width);
      }
      case 'rich_text_quote':
        return flow(element, names).flatMap((line) => quoteLines(line, width));
      default:
        return flow(element, names).flatMap((line) => wrap(line, width));
    }
  });
}
