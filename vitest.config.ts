import { join } from 'node:path'
import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // They have a server and an environment of their own: npm run test:readers.
    exclude: [...configDefaults.exclude, 'tests/readers/**'],
    reporters: ['default', './tests/support/tally-reporter.ts'],
    // Processes, so that a native add-on that crashes costs its files, counted as failed, and not the whole run.
    pool: 'forks',
    // One module graph per worker: nothing here may keep state in a module (but an empty store, tests/support/lent-store.ts), and starting is several times faster.
    isolate: false,
    // One to a core: what tests wait for are processes of their own. By itself vitest leaves a core free.
    maxWorkers: '100%',
    // Servers and commands that tests start read compiled modules instead of stripping types: half a second each.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'compiled') },
    allowOnly: false,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
