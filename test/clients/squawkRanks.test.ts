import { expect, it } from 'vitest';
import { byRank, rankRule } from '../../src/clients/squawkRanks.js';

it.each([
  ['ban-drop-table', 'data_loss'],
  ['syntax-error', 'invalid'],
  ['changing-column-type', 'blocking_lock'],
  ['renaming-column', 'breaking'],
  ['prefer-bigint-over-int', 'advice'],
  ['a-rule-of-tomorrow', 'unrated'],
])('ranks %s as %s', (rule, rank) => {
  expect(rankRule(rule)).toBe(rank);
});

it('puts the worst first and keeps the order within a rank', () => {
  const rules = [
    'prefer-identity',
    'renaming-table',
    'prefer-bigint-over-int',
    'new-rule',
    'ban-drop-column',
  ];
  expect(byRank(rules.map((rule) => ({ rule }))).map((finding) => finding.rule)).toEqual([
    'ban-drop-column',
    'renaming-table',
    'new-rule',
    'prefer-identity',
    'prefer-bigint-over-int',
  ]);
});
