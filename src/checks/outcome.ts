import type { Outcome } from '../runbook/step-kind.js';

type Extra = Omit<Outcome, 'result' | 'summary'>;

export const passed = (summary: string, extra: Extra = {}): Outcome => ({
  result: 'passed',
  summary,
  ...extra,
});

export const failed = (summary: string, extra: Extra = {}): Outcome => ({
  result: 'failed',
  summary,
  ...extra,
});

/** The truth could not be learnt. Neither a yes nor a no. */
export const unknown = (summary: string, extra: Extra = {}): Outcome => ({
  result: 'unknown',
  summary,
  ...extra,
});

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(items: readonly string[]): string {
  if (items.length <= 1) return items[0] ?? '';
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

/** A duration in ms as people say it: `45 s`, `12 min`, `3 h 20 min`. */
export function spoken(ms: number): string {
  // A limit of 1500ms must not read as 2 s where people approve it.
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${Math.round(ms / 100) / 10} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const rest = minutes % 60;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.round(hours / 24)} days`;
  return rest === 0 ? `${hours} h` : `${hours} h ${rest} min`;
}

/** Bytes in binary units, as `du -h` shows them. */
export function sized(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Lines in columns, for output that is shown in a fixed-width font. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
