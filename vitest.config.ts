import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 180_000,
    hookTimeout: 120_000,
    globalSetup: ['test/support/global.ts'],
    // Two cores: more workers only fight over PostgreSQL.
    maxWorkers: 2,
  },
});
