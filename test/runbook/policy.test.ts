import { expect, test } from 'vitest';
import { withFloors } from '../../src/runbook/policy.js';
import { runbook } from './spec.js';

const minutes = 60_000;

test('a target raises the approvals and shortens the life of the gates on it alone', () => {
  const held = withFloors(runbook, { staging: { approvals: 2, expires: 5 * minutes } });
  expect(held.phases.map((p) => p.gate)).toEqual([
    'none',
    { approvals: 2, expires: 5 * minutes },
    { approvals: 2, expires: 30 * minutes },
  ]);
  expect(held.rollback.gate).toMatchObject({ approvals: 1 });
  expect(withFloors(runbook, { production: { approvals: 3, expires: minutes } }).rollback.gate).toMatchObject(
    {
      approvals: 3,
      expires: minutes,
    },
  );
});

test('a target that asks for less changes nothing', () => {
  const low = { approvals: 1, expires: 24 * 60 * minutes };
  expect(withFloors(runbook, { staging: low, production: low })).toEqual(runbook);
});
