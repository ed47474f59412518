/** `npm run test:stack`: starts a stack of its own, runs the tests on it with nothing skipped, and removes it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { layOut, PARTS, removeStack, start } from '#infra/local/stack.ts'

const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const name = `test-${process.pid}`
/** Needs no stack, and reads a file that no registry brings: `npm test` runs it where the file is. */
const apart = ['--exclude', 'tests/import/real-rollouts.test.ts']

// A Ctrl-C reaches the tests too; the stack is removed once they have ended.
let isStopping = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    isStopping = true
  })
}

const stack = await layOut({ name, brokers: 3 })
try {
  await Promise.all(PARTS.map((part) => start(stack, part)))
  if (isStopping) process.exitCode = 1
  else {
    const child = spawn(process.execPath, [vitest, 'run', ...apart, ...process.argv.slice(2)], {
      stdio: 'inherit',
      env: { ...process.env, TEST_STACK: name, TEST_NOTHING_SKIPPED: '1' },
    })
    const [code] = (await once(child, 'exit')) as [number | null]
    process.exitCode = code ?? 1
  }
} finally {
  await removeStack(stack)
}
