import { defineConfig } from 'vitest/config';

/** Tests of pure parts: they start nothing and need no service, so that they answer while one types. */
const pure = [
  // Not redact.test.ts, whose megabytes of hostile text take their time.
  'test/!(redact).test.ts',
  'test/runbook/**/*.test.ts',
  'test/runner/*.test.ts',
  'test/commands/*.test.ts',
  'test/bot/render/*.test.ts',
  'test/checks/plan/*.test.ts',
  'test/clients/sql/{differences,effects,lasting,parse-script}.test.ts',
  'test/scheduler/{due,ticks}.test.ts',
  'test/scheduler/outbox/{backoff,hosts,request,route}.test.ts',
];

const timeouts = { testTimeout: 180_000, hookTimeout: 120_000 };

export default defineConfig({
  test: {
    // Two cores: more workers only fight over PostgreSQL.
    maxWorkers: 2,
    projects: [
      { test: { name: 'pure', include: pure, ...timeouts } },
      {
        test: {
          name: 'services',
          include: ['test/**/*.test.ts'],
          exclude: pure,
          globalSetup: ['test/support/global.ts'],
          ...timeouts,
        },
      },
    ],
  },
});
