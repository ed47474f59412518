import { defineConfig } from 'vitest/config'

/** `npm run test:readers`: foreign readers against one real server, which `world.ts` fills and starts. */
export default defineConfig({
  test: {
    include: ['tests/readers/**/*.test.ts'],
    globalSetup: ['tests/readers/world.ts'],
    reporters: ['default', './tests/support/tally-reporter.ts'],
    pool: 'forks',
    isolate: false,
    // Readers bring threads of their own, and some hold much memory.
    fileParallelism: false,
    allowOnly: false,
    testTimeout: 180_000,
    hookTimeout: 600_000,
  },
})
