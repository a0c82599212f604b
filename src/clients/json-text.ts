/*
 * JSON as the text that it is. JavaScript's numbers hold no identifier beyond 2^53 and no long decimal, so what is
 * only passed on is never read into them: it leaves as the digits that came in.
 */

/** The parts of a JSON text but strings: white space, a mark by itself, and a run of anything else. */
const part = /\s+|[{}[\],:]|[^\s"{}[\],:]+/gy;

/**
 * The parts of a JSON text in their order. Strings are not matched by an expression: one of several megabytes
 * overflows its stack.
 */
function* partsOf(text: string): Generator<{ readonly piece: string; readonly at: number }> {
  for (let at = 0; at < text.length; ) {
    part.lastIndex = at;
    const piece =
      text[at] === '"' ? text.slice(at, endOfString(text, at)) : (part.exec(text)?.[0] ?? text[at]);
    if (piece === undefined) return;
    yield { piece, at };
    at += piece.length;
  }
}

/** Behind the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let before = at;
    while (text[before - 1] === '\\') before -= 1;
    if ((at - before) % 2 === 0) return at + 1;
  }
  return text.length;
}

/** The same text without white space between its parts. The text must be JSON. */
export function compactJson(text: string): string {
  const kept: string[] = [];
  for (const { piece } of partsOf(text)) if (!/^\s/.test(piece)) kept.push(piece);
  return kept.join('');
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
  for (const { piece, at } of partsOf(whole)) {
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
