import { readFileSync } from 'node:fs';

export interface Documented {
  readonly type: string;
  readonly labels: readonly string[];
}

/** The table of the metrics in the operator's page, by name. */
export function documented(): Map<string, Documented> {
  const page = readFileSync('docs/operations.md', 'utf8');
  const rows = page.matchAll(/^\| `((?:m10|m10bot|recovery)_\w+)` \| (\w+)[^|]*\| ([^|]*) ?\|/gm);
  return new Map(
    [...rows].map(([, name = '', type = '', labels = '']) => [
      name,
      { type, labels: [...labels.matchAll(/`(\w+)`/g)].map((match) => match[1] ?? '') },
    ]),
  );
}
