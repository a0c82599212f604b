import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { diffFingerprints, Fingerprint, fingerprintOf } from '../../src/runbook/fingerprint.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const of = (parts: Record<string, string>) => fingerprintOf(parts, sha256);

test('digests that begin alike differ, and are shown short', () => {
  const was = sha256('a');
  const is = `${was.slice(0, 60)}0000`;
  expect(diffFingerprints(of({ code: was }), of({ code: is }))).toEqual([
    `code: ${was.slice(0, 12)} when approved, ${was.slice(0, 12)} now`,
  ]);
});

test('a fingerprint of a former release is read, and is void with its reason', () => {
  const whole = sha256('the runbook');
  const old = Fingerprint.parse(
    JSON.parse(JSON.stringify(of({ runbook: whole.slice(0, 16), revision: '021' }))),
  );
  expect(diffFingerprints(old, of({ runbook: whole, revision: '021' }))).toEqual([
    expect.stringMatching(/^runbook: approved by a digest of 16 digits.* ask again$/),
  ]);
  // Two of them are compared as they are, and one that differs is a plain difference.
  expect(diffFingerprints(old, old)).toEqual([]);
  expect(diffFingerprints(old, of({ runbook: sha256('another'), revision: '021' }))).toEqual([
    expect.stringMatching(/^runbook: [0-9a-f]{16} when approved, [0-9a-f]{12} now$/),
  ]);
});
