import { rename } from 'node:fs/promises';

/**
 * Takes a finished file whose proof did not succeed out of the backups: it keeps its bytes, which may be of use,
 * and loses the name by which it would be taken for a good one.
 * @returns where it is now
 */
export async function setAside(path: string): Promise<string> {
  const aside = `${path}.unproven`;
  await rename(path, aside);
  return aside;
}
