import { stringAt } from '../json.js';
import type { Names } from './names.js';
import { richTextLines } from './rich-text.js';
import { columns, type Line, span } from './spans.js';

const GAP = '  ';

function cellText(cell: unknown, names: Names): string {
  if (stringAt(cell, 'type') !== 'rich_text') return stringAt(cell, 'text') ?? '';
  const lines = richTextLines(cell, names, 1000);
  return lines.map((line) => line.map((s) => s.text).join('')).join(' ');
}

/** A table in aligned columns; the first row is its head. Rows wider than `width` are cut. */
export function tableLines(rows: readonly unknown[], names: Names, width: number): Line[] {
  const texts = rows.map((row) => (Array.isArray(row) ? row.map((cell) => cellText(cell, names)) : []));
  const widths: number[] = [];
  for (const row of texts) {
    row.forEach((text, i) => {
      widths[i] = Math.max(widths[i] ?? 0, columns(text));
    });
  }
  return texts.map((row, i) => {
    const line = row.map((text, j) => text + ' '.repeat((widths[j] ?? 0) - columns(text))).join(GAP);
    return [span([...line].slice(0, width).join(''), i === 0 ? 'bold' : 'plain')];
  });
}
