/** The files of a project's folder, by path from it, each with the SHA-256 of its content. */
export type Manifest = ReadonlyMap<string, string>;

/**
 * What reports, dumps and archives are called: a block may leave them in the folder of the code. A new file of any
 * other name can be code, or be read by it.
 */
const results =
  /\.(xml|txt|html?|csv|tsv|dump|gz|zst|bz2|xz|zip|tar|bak|out|lcov|md|pdf|png|svg)$|(^|\/)\.coverage(\.[^/]*)?$/i;

const named = 10;

/**
 * What of the code is not what was approved, one line for each file; a new result of a program is none of it.
 * @returns an empty list where nothing that can run has changed
 */
export function codeChanges(approved: Manifest, now: Manifest): string[] {
  const lines: string[] = [];
  for (const [path, digest] of approved) {
    const is = now.get(path);
    if (is === undefined) lines.push(`code: ${path} is gone since the approval`);
    else if (is !== digest) lines.push(`code: ${path} was changed since the approval`);
  }
  for (const path of now.keys()) {
    if (!approved.has(path) && !results.test(path)) lines.push(`code: ${path} is new since the approval`);
  }
  const more = lines.length - named;
  return more > 0 ? [...lines.slice(0, named), `code: ${more} more files differ`] : lines;
}

/**
 * The manifests of digests that this process computed lately. It is asked what has changed between an approval and
 * a later step of its block, which are minutes apart; a process that does not know, as after a restart, takes any
 * difference for one.
 */
const known = new Map<string, Manifest>();
const kept = 50;

export function keepManifest(digest: string, manifest: Manifest): void {
  known.delete(digest);
  known.set(digest, manifest);
  for (const oldest of [...known.keys()].slice(0, known.size - kept)) known.delete(oldest);
}

/**
 * What has changed between the folders of two digests.
 * @returns null when that is not known here
 */
export function changesBetween(approved: string, now: string): string[] | null {
  const [before, after] = [known.get(approved), known.get(now)];
  return before === undefined || after === undefined ? null : codeChanges(before, after);
}
