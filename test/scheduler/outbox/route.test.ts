import { expect, test } from 'vitest';
import { createRouter } from '../../../src/scheduler/outbox/route.js';

const to = (url: string) => ({ url });

test('the longest name wins, exact before prefix, this process before the configuration, both before the built-in', () => {
  const router = createRouter(
    {
      'audit:': to('https://a'),
      'audit:eu:': to('https://b'),
      'audit:eu:x': to('https://c'),
      'http:own': to('https://d'),
    },
    { 'local:': () => {}, 'audit:us:': () => {} },
  );
  const kindOf = (type: string) => {
    const route = router.route(type);
    return route.kind === 'handler' ? route.name : route.kind;
  };
  expect(['audit:x', 'audit:eu:y', 'audit:eu:x', 'audit:us:z', 'local:1'].map(kindOf)).toEqual([
    'audit:',
    'audit:eu:',
    'audit:eu:x',
    'local',
    'local',
  ]);
  expect(['http:x', 'http:own', 'webhook:x', 'notify:x', 'http', 'other'].map(kindOf)).toEqual([
    'http',
    'http:own',
    'webhook',
    'notify',
    'unknown',
    'unknown',
  ]);
});

test('an unknown type says what to do', () => {
  const route = createRouter({}, {}).route('strange');
  expect(route.kind === 'unknown' && route.error).toMatch(/"strange".*handlers of m10.yml/);
});

test('names are taken literally where the database looks for them', () => {
  expect(createRouter({}, { 'a_b%\\:': () => {}, exact: () => {} }).localTypes).toEqual([
    'a\\_b\\%\\\\:%',
    'exact',
  ]);
});
