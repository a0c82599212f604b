import { arrayAt, isObject, type JsonObject, stringAt } from '../json.js';
import { type Piece, parseMrkdwn } from './mrkdwn.js';
import type { Names } from './names.js';
import { codeLines, quoteLines, richTextLines } from './rich-text.js';
import { type Line, type Look, lineColumns, type Span, span, wrap } from './spans.js';
import { tableLines } from './table.js';

/** A mrkdwn or plain text as lines. */
export function textLines(text: unknown, names: Names, width: number, look: Look = 'plain'): Line[] {
  const content = stringAt(text, 'text') ?? '';
  if (stringAt(text, 'type') === 'plain_text') {
    return content.split('\n').flatMap((line) => wrap([span(line, look)], width));
  }
  return parseMrkdwn(content, names, look).flatMap((piece) => pieceLines(piece, width));
}

function pieceLines(piece: Piece, width: number): Line[] {
  switch (piece.kind) {
    case 'code':
      return codeLines(piece.lines, width);
    case 'quote':
      return quoteLines(piece.line, width);
    case 'text':
      return wrap(piece.line, width);
  }
}

const GAP = 2;

/** Fields stand two beside each other, as Slack shows them. */
function fieldLines(fields: readonly unknown[], names: Names, width: number): Line[] {
  const cell = Math.floor((width - GAP) / 2);
  const cells = fields.map((f) => textLines(f, names, cell));
  const out: Line[] = [];
  for (let i = 0; i < cells.length; i += 2) {
    const left = cells[i] ?? [];
    const right = cells[i + 1] ?? [];
    for (let row = 0; row < Math.max(left.length, right.length); row += 1) {
      const first = left[row] ?? [];
      const second = right[row] ?? [];
      const pad = second.length === 0 ? 0 : cell + GAP - lineColumns(first);
      out.push([...first, span(' '.repeat(pad)), ...second]);
    }
  }
  return out;
}

const BUTTON_LOOKS: Record<string, Look> = { primary: 'good', danger: 'bad' };

/** An element that somebody can press or fill in. */
function control(element: unknown): Span[] {
  const label = stringAt(isObject(element) ? element.text : undefined, 'text');
  const hint = stringAt(isObject(element) ? element.placeholder : undefined, 'text');
  if (stringAt(element, 'type') === 'button') {
    const link = stringAt(element, 'url');
    const look = BUTTON_LOOKS[stringAt(element, 'style') ?? ''] ?? 'bold';
    return [span(`[ ${label ?? ''} ]`, look), ...(link === undefined ? [] : [span(` (${link})`, 'dim')])];
  }
  if (stringAt(element, 'type') === 'image')
    return [span(`[image: ${stringAt(element, 'alt_text')}]`, 'dim')];
  return [span(`[ ${label ?? hint ?? 'Choose'} ▾ ]`, 'bold')];
}

function contextLine(elements: readonly unknown[], names: Names, width: number): Line[] {
  return elements.flatMap((e) =>
    stringAt(e, 'type') === 'image' ? [control(e)] : textLines(e, names, width, 'dim'),
  );
}

/** A block as lines of at most `width` columns. A block of a kind not known here is named, never hidden. */
export function blockLines(block: JsonObject, names: Names, width: number): Line[] {
  const type = stringAt(block, 'type') ?? '';
  switch (type) {
    case 'header': {
      const title = textLines(block.text, names, width, 'bold');
      const rule = Math.min(width, Math.max(...title.map(lineColumns)));
      return [...title, [span('─'.repeat(rule), 'dim')]];
    }
    case 'section': {
      const text = block.text === undefined ? [] : textLines(block.text, names, width);
      const beside = block.accessory === undefined ? [] : [control(block.accessory)];
      return [...text, ...fieldLines(arrayAt(block, 'fields'), names, width), ...beside];
    }
    case 'context':
      return contextLine(arrayAt(block, 'elements'), names, width);
    case 'divider':
      return [[span('─'.repeat(Math.min(width, 40)), 'dim')]];
    case 'actions': {
      const controls = arrayAt(block, 'elements').flatMap((e, i) => [
        ...(i > 0 ? [span('  ')] : []),
        ...control(e),
      ]);
      return [controls];
    }
    case 'rich_text':
      return richTextLines(block, names, width);
    case 'markdown':
      return textLines({ type: 'plain_text', text: block.text }, names, width);
    case 'table':
      return tableLines(arrayAt(block, 'rows'), names, width);
    case 'image':
      return [[span(`[image: ${stringAt(block, 'alt_text') ?? ''}]`, 'dim')]];
    case 'input':
      return [[span(`${stringAt(block.label, 'text') ?? ''}: `), ...control(block.element)]];
    default:
      return [[span(`[${type}]`, 'dim')]];
  }
}
