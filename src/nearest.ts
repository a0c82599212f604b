/**
 * How many letters must be inserted, dropped, replaced or swapped with their neighbour to make one word of
 * the other.
 */
export function distance(a: string, b: string): number {
  const rows: number[][] = [];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 0; i <= a.length; i += 1) {
    const row: number[] = [];
    rows.push(row);
    for (let j = 0; j <= b.length; j += 1) {
      if (i === 0 || j === 0) {
        row.push(i + j);
        continue;
      }
      const same = a[i - 1] === b[j - 1];
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(
        Math.min(
          at(i - 1, j) + 1,
          at(i, j - 1) + 1,
          at(i - 1, j - 1) + (same ? 0 : 1),
          swapped ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return at(a.length, b.length);
}

/** Longer than any command and its typos; what is longer is not a misspelt command. */
const LONGEST = 24;

/** The known word that was most likely meant; undefined when none is near. */
export function nearest<T extends string>(word: string, known: readonly T[]): T | undefined {
  if (word.length > LONGEST) return undefined;
  const ranked = known
    .map((candidate) => ({
      candidate,
      // A word that is begun right is near, however much of it is missing.
      far: word.length >= 2 && candidate.startsWith(word) ? 0.5 : distance(word, candidate),
    }))
    .sort((a, b) => a.far - b.far);
  const best = ranked[0];
  if (best === undefined) return undefined;
  return best.far <= Math.max(1, Math.floor(best.candidate.length / 2)) ? best.candidate : undefined;
}
