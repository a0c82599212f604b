/*
 * JSON as the text that it is. JavaScript's numbers hold no identifier beyond 2^53 and no long decimal, so what is
 * only passed on is never read into them: it leaves as the digits that came in.
 */

/** The parts of a JSON text that stand for themselves: strings, white space, and everything else one by one. */
const part = /"(?:[^"\\]|\\.)*"|\s+|[^\s"]/gs;

/** The same text without white space between its parts. The text must be JSON. */
export function compactJson(text: string): string {
  return text.replace(part, (piece) => (/^\s/.test(piece) ? '' : piece));
}

/**
 * The values of a JSON object by their names, each as its own compact text; of a name that occurs twice the last
 * one, as JSON.parse has it.
 * @returns null when the text is no object
 */
export function jsonMembers(text: string): ReadonlyMap<string, string> | null {
  const whole = compactJson(text);
  if (!whole.startsWith('{') || !whole.endsWith('}')) return null;
  const members = new Map<string, string>();
  let depth = 0;
  let name: string | null = null;
  let start = 1;
  for (const match of whole.matchAll(part)) {
    const [piece] = match;
    const at = match.index;
    if (piece === '{' || piece === '[') depth += 1;
    else if (piece === ':' && depth === 1 && name === null) {
      name = String(JSON.parse(whole.slice(start, at)));
      start = at + 1;
    } else if ((piece === ',' && depth === 1) || (piece === '}' && depth === 1)) {
      if (name !== null) members.set(name, whole.slice(start, at));
      name = null;
      start = at + 1;
    }
    if (piece === '}' || piece === ']') depth -= 1;
  }
  return members;
}
