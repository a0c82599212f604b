import { expect, it } from 'vitest';
import { announcedSteps, firstTokens, parseRevisionEntries } from '../../../src/clients/alembic/output.js';

it('takes the first token of each line', () => {
  expect(firstTokens('022_m10 (branchpoint)\n')).toEqual(['022_m10']);
  expect(firstTokens('a (head)\r\n\nb (head) (mergepoint)\n')).toEqual(['a', 'b']);
  expect(firstTokens(' \n')).toEqual([]);
});

it('reads announced steps of both directions, from stderr and from offline SQL', () => {
  const stderr = [
    'INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.',
    'INFO  [alembic.runtime.migration] Running upgrade  -> 001, First, with a comma -> and an arrow.',
    'INFO  [alembic.runtime.migration] Running upgrade a, b -> c, merge',
    'INFO  [alembic.runtime.migration] Running downgrade 001 -> , First',
  ].join('\n');
  expect(announcedSteps(stderr)).toEqual([
    { direction: 'upgrade', from: null, to: '001' },
    { direction: 'upgrade', from: 'a, b', to: 'c' },
    { direction: 'downgrade', from: '001', to: null },
  ]);
  expect(announcedSteps('BEGIN;\n\n-- Running upgrade 021 -> 022\n\nSELECT 1;')).toEqual([
    { direction: 'upgrade', from: '021', to: '022' },
  ]);
  expect(announcedSteps('-- Running downgrade 001 -> \n\nDROP TABLE a;')).toEqual([
    { direction: 'downgrade', from: '001', to: null },
  ]);
  expect(announcedSteps('-- Running upgrade  -> 001\n\n-- Running upgrade 001 -> 002\n')).toHaveLength(2);
});

it('reads revisions with one parent, none and several', () => {
  const listing = `Rev: c (head) (mergepoint)
Merges: a, b
Branches into: x, y
Path: /project/versions/c.py

    Merge both lines.

    Rev: is also a word.

Rev: a
Parent: <base>
Path: /project/with space/a.py

    First
`;
  expect(parseRevisionEntries(listing)).toEqual([
    {
      revision: 'c',
      parents: ['a', 'b'],
      path: '/project/versions/c.py',
      message: 'Merge both lines.\nRev: is also a word.',
    },
    { revision: 'a', parents: [], path: '/project/with space/a.py', message: 'First' },
  ]);
  expect(parseRevisionEntries('')).toEqual([]);
});
