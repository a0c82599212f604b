import { expect, test } from 'vitest';
import { readYaml } from '../src/yaml-source.js';

const read = (text: string) => {
  const { problems, value } = readYaml('some.yml', text);
  return { problems, value };
};
const refused = (message: RegExp) => ({ problems: [expect.stringMatching(message)], value: null });

test('an alias without its anchor is a mistake with its place', () => {
  expect(read('a: 1\nb: { c: [*nope] }')).toEqual(
    refused(/^some\.yml:2:10: expected an anchor &nope before this alias, found none$/),
  );
  // An anchor counts from where it stands.
  expect(read('a: *late\nb: &late 1')).toEqual(refused(/^some\.yml:1:4: expected an anchor &late/));
  expect(read('a: *one\nb: *two').problems).toHaveLength(2);
});

test('an alias within its own anchor is one, too', () => {
  expect(read('steps: &all\n  - x\n  - { again: *all }')).toEqual(
    refused(/^some\.yml:3:14: the alias \*all stands within its own anchor/),
  );
});

test('anchors that multiply are refused with the place of the worst', () => {
  const names = [...'abcdefgh'];
  const lines = names.map((name, i) =>
    i === 0
      ? 'a: &a [x, x]'
      : `${name}: &${name} [${Array(9)
          .fill(`*${names[i - 1]}`)
          .join(', ')}]`,
  );
  expect(read(lines.join('\n'))).toEqual(
    refused(/^some\.yml:8:8: aliases of &g would be followed [\d,]{7,} times.* at most 100 are/),
  );
  const often = ['t: &t [1]', ...Array.from({ length: 101 }, (_, i) => `k${i}: *t`)].join('\n');
  expect(read(often)).toEqual(refused(/^some\.yml:2:5: aliases of &t would be followed 101 times/));
});

test('what anchors are for is read', () => {
  expect(read('a: &a { x: [1] }\nb: *a\nc: [*a, *a]')).toEqual({
    problems: [],
    value: { a: { x: [1] }, b: { x: [1] }, c: [{ x: [1] }, { x: [1] }] },
  });
});
