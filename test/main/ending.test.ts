import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createEnding } from '../../src/main/ending.js';

function told() {
  const errors: string[] = [];
  return { errors, error: (_fields: object, message: string) => void errors.push(message) };
}

test('no part takes on work while another one is waited for', async () => {
  const seen: string[] = [];
  const ending = createEnding(told());
  let taking = true;
  ending.holds(() => void seen.push('database closed'));
  ending.works(async () => {
    // What a runner does while a job is waited for.
    taking = false;
    seen.push('runner told');
  });
  ending.works(async () => {
    seen.push('jobs told');
    for (let n = 0; n < 5; n += 1) {
      await sleep(1);
      if (taking) seen.push('a step began');
    }
    seen.push('jobs ended');
  });
  ending.holds(async () => void seen.push('publisher closed'));
  await ending.end();
  expect(seen).toEqual(['runner told', 'jobs told', 'jobs ended', 'publisher closed', 'database closed']);
});

test('a part that fails keeps no other from ending, and nothing ends twice', async () => {
  const log = told();
  const seen: string[] = [];
  const ending = createEnding(log);
  ending.holds(() => void seen.push('closed'));
  ending.holds(() => {
    throw new Error('stuck');
  });
  ending.works(async () => {
    throw new Error('stuck as well');
  });
  await ending.end();
  await ending.end();
  expect(seen).toEqual(['closed']);
  expect(log.errors).toHaveLength(2);
});
