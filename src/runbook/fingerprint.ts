import { z } from 'zod';

/**
 * What an approval covers, as named parts. Each part is a short text or a whole SHA-256 in hex, so that two
 * fingerprints can be compared part by part and the difference told to people; only what is shown is shortened.
 * Journals of former releases hold digests of 16 digits, which read as they are.
 */
export const Fingerprint = z.strictObject({
  digest: z.string(),
  parts: z.record(z.string(), z.string()),
});
export type Fingerprint = z.infer<typeof Fingerprint>;

/** Turns canonical text into a hex digest; passed in because the core does no cryptography of its own. */
export type Digest = (canonicalJson: string) => string;

/**
 * Builds a fingerprint from its parts: rendered commands, the migration's SQL, the code's commit, each
 * database's identity and revision, the runbook's digest.
 */
export function fingerprintOf(parts: Readonly<Record<string, string>>, digest: Digest): Fingerprint {
  const sorted = Object.keys(parts)
    .sort()
    .map((name) => [name, parts[name] ?? '']);
  return { digest: digest(JSON.stringify(sorted)), parts: { ...parts } };
}

/** A form of the digest that two people can read to each other. */
export function shortDigest(digest: string): string {
  return digest.slice(0, 12);
}

/**
 * Says in words what differs between the fingerprint that was approved and the one of now.
 * @returns one line for each part that differs; empty when nothing does
 */
export function diffFingerprints(approved: Fingerprint, now: Fingerprint): string[] {
  return diffParts(approved.parts, now.parts, 'when approved');
}

/**
 * The same for bare parts.
 * @param before when the first ones held, such as `when approved`
 */
export function diffParts(
  first: Readonly<Record<string, string>>,
  second: Readonly<Record<string, string>>,
  before: string,
): string[] {
  const names = [...new Set([...Object.keys(first), ...Object.keys(second)])].sort();
  return names.flatMap((name) => {
    const was = first[name];
    const is = second[name];
    if (was === is) return [];
    if (was === undefined) return [`${name}: not there ${before}, now ${shown(is ?? '')}`];
    if (is === undefined) return [`${name}: ${shown(was)} ${before}, gone now`];
    if (isCutOf(was, is)) return [`${name}: ${cutDigest}`];
    return [`${name}: ${shown(was)} ${before}, ${shown(is)} now`];
  });
}

const cutDigest =
  'approved by a digest of 16 digits, as m10bot kept them before; whole digests are needed now, so ask again';

/**
 * Whether a part is the beginning of the digest of now: a request of a former release, open while the bot was
 * replaced. Nothing may have changed, but 64 bits are not enough to say so.
 */
function isCutOf(was: string, is: string): boolean {
  return /^[0-9a-f]{16}$/.test(was) && /^[0-9a-f]{64}$/.test(is) && is.startsWith(was);
}

/** Digests and commits are compared whole and shown short. */
function shown(part: string): string {
  return part.replace(/\b(?:[0-9a-f]{64}|[0-9a-f]{40})\b/g, (digest) => shortDigest(digest));
}
