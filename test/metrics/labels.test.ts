import { expect, test } from 'vitest';
import { createCap, createEventLabels, mostValues } from '../../src/metrics/labels.js';

const same = (text: string) => text;

test('the first values keep their names, later ones are other, and no value ever changes its name', () => {
  const cap = createCap(same, 2);
  expect(['a', 'b', 'c', 'a', 'c'].map(cap)).toEqual(['a', 'b', 'other', 'a', 'other']);
});

test('a long value is cut, and a secret in it is hidden', () => {
  const cap = createCap((text) => text.replace('hunter2', '…'));
  expect(cap(`http:${'x'.repeat(500)}`)).toHaveLength(121);
  expect(cap('http://user:hunter2@host')).toBe('http://user:…@host');
});

test('pairs are capped too, and the same pair is the same object', () => {
  const { pair } = createEventLabels(same);
  const seen = new Set<string>();
  for (let a = 0; a < 200; a += 1) {
    for (let e = 0; e < 20; e += 1) {
      const labels = pair(`a${a}`, `e${e}`);
      expect(pair(`a${a}`, `e${e}`)).toBe(labels);
      seen.add(JSON.stringify(labels));
    }
  }
  expect(seen.size).toBe(2 * mostValues + 1);
});
