/**
 * The columns of a function's result as `pg_get_function_result` prints it, such as
 * `TABLE(event_id bigint, payload jsonb)`; empty for any other result.
 */
export function resultColumns(result: string): { name: string; type: string }[] {
  const inside = /^TABLE\((.*)\)$/s.exec(result)?.[1];
  if (inside === undefined) return [];
  return splitTopLevel(inside).flatMap((part) => {
    const match = /^("(?:[^"]|"")+"|\S+)\s+(.+)$/s.exec(part.trim());
    if (match === null) return [];
    const [, name = '', type = ''] = match;
    return [{ name: name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name, type }];
  });
}

/** Commas inside `numeric(4,3)` separate nothing. */
function splitTopLevel(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const character of text) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (character === ',' && depth === 0) {
      parts.push(part);
      part = '';
    } else part += character;
  }
  return part.trim() === '' ? parts : [...parts, part];
}
