import { defineConfig } from 'vitest/config'

// Forks, not threads: two Temporal test files in worker threads crash the native bridge.
export default defineConfig({
  test: {
    pool: 'forks',
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/properties.ts'],
    include: ['test/**/*.test.ts'],
    // A limit for what hangs, on machines that are busy too.
    testTimeout: 180_000,
    expect: { poll: { timeout: 60_000 } },
    // On a fresh machine the first hook waits until Temporal is built.
    hookTimeout: 900_000,
    maxWorkers: 2,
  },
})
