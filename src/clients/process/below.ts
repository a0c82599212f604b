import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Ids of the children whose records lie at an id or below it, for one who knows the attempt and not its parts. */
export function idsBelow(directory: string, id: string): string[] {
  let entries: { readonly name: string; isDirectory(): boolean }[];
  try {
    entries = readdirSync(join(resolve(directory), ...id.split('/')), { withFileTypes: true });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
  const own = entries.some((entry) => entry.name === 'child.json') ? [id] : [];
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return [...own, ...folders.sort().flatMap((name) => idsBelow(directory, `${id}/${name}`))];
}
