import { fitLines, LIMITS } from './limits.js';

/** Lines in paragraphs of a section's size. */
export function chunks(lines: readonly string[]): string[] {
  const out: string[] = [];
  let current: string[] = [];
  let length = 0;
  for (const each of lines) {
    const one = fitLines([each], LIMITS.section - 100);
    if (length + one.length + 1 > LIMITS.section - 100) {
      out.push(current.join('\n'));
      current = [];
      length = 0;
    }
    current.push(one);
    length += one.length + 1;
  }
  return current.length === 0 ? out : [...out, current.join('\n')];
}
