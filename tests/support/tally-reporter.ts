import { writeSync } from 'node:fs'
import type { Reporter, SerializedError, TestCase, TestModule, TestSuite } from 'vitest/node'

type Tally = { passed: number; failed: number; skipped: string[]; broken: string[]; named: string[]; again: string[] }

/**
 * Ends a run with what was skipped, by name and reason, what passed only when tried again (CI tries once more), what failed, and the line `N passed, N failed, N skipped`.
 * A file that does not load, a failing hook, an unhandled error, a test that never ran and a run without a passing test
 * all count as failed, and with TEST_NOTHING_SKIPPED set so does a skipped test. The lines are written as the process exits, so that nothing can follow them.
 */
export default class TallyReporter implements Reporter {
  #tally: Tally | undefined

  onInit(): void {
    process.once('exit', (code) => {
      const tally = closed(this.#tally, code)
      write(summary(tally))
      if (tally.failed > 0) process.exitCode = 1
    })
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    this.#tally = tallyOf(modules, unhandled)
  }
}

function emptyTally(): Tally {
  return { passed: 0, failed: 0, skipped: [], broken: [], named: [], again: [] }
}

function tallyOf(modules: readonly TestModule[], unhandled: readonly SerializedError[]): Tally {
  const tally = emptyTally()
  for (const module of modules) {
    countErrors(tally, module.moduleId, module)
    if (module.state() === 'queued' || module.state() === 'pending') broke(tally, `${module.moduleId} never finished`)
    for (const suite of module.children.allSuites()) countErrors(tally, `${module.moduleId} > ${suite.fullName}`, suite)
    for (const test of module.children.allTests()) countTest(tally, test)
  }
  for (const error of unhandled) broke(tally, `unhandled error: ${error.message}`)
  return tally
}

function countErrors(tally: Tally, name: string, task: TestModule | TestSuite): void {
  for (const error of task.errors()) broke(tally, `${name}: ${error.message}`)
}

function countTest(tally: Tally, test: TestCase): void {
  const result = test.result()
  switch (result.state) {
    case 'passed':
      tally.passed += 1
      if (test.diagnostic()?.flaky === true) tally.again.push(nameOf(test))
      break
    case 'failed':
      tally.failed += 1
      tally.named.push(nameOf(test))
      break
    case 'skipped':
      tally.skipped.push(result.note === undefined ? test.fullName : `${test.fullName} (${result.note})`)
      break
    case 'pending':
      broke(tally, `${test.fullName} never finished`)
      break
  }
}

function nameOf(test: TestCase): string {
  return `${test.module.relativeModuleId} > ${test.fullName}`
}

function broke(tally: Tally, reason: string): void {
  tally.failed += 1
  tally.broken.push(reason)
}

/** The tally as the process leaves: no end, no passing test or a bad exit code without a failure is a failure. */
function closed(tally: Tally | undefined, exitCode: number): Tally {
  const end = tally ?? emptyTally()
  if (tally === undefined) broke(end, 'the run ended before its tests did')
  else if (tally.passed + tally.failed === 0) broke(end, 'no test ran')
  else if (tally.failed === 0 && exitCode !== 0) broke(end, `the run ended with exit code ${exitCode}`)
  if (process.env['TEST_NOTHING_SKIPPED'] !== undefined) {
    for (const name of end.skipped) broke(end, `nothing may be skipped here: ${name}`)
  }
  return end
}

function summary(tally: Tally): string {
  const lines = [
    ...tally.skipped.map((name) => `skipped: ${name}`),
    ...tally.again.map((name) => `passed only when tried again: ${name}`),
    ...tally.named.map((name) => `failed: ${name}`),
    ...tally.broken.map((reason) => `failed: ${reason}`),
    `${tally.passed} passed, ${tally.failed} failed${tally.skipped.length > 0 ? `, ${tally.skipped.length} skipped` : ''}`,
  ]
  return `${lines.join('\n')}\n`
}

/** Writes all of it before returning, also into a pipe that is full for a moment. */
function write(text: string): void {
  let rest = Buffer.from(text)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) return
    }
  }
}
