import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const root = dirname(dirname(import.meta.dirname))
let house = ''
/** Without what the run of these tests themselves was told. */
const { TEST_NOTHING_SKIPPED: _mine, CI: _ours, ...inherited } = process.env

beforeEach(() => {
  house = mkdtempSync(join(tmpdir(), 'stepstore-tally-'))
  mkdirSync(join(house, 'tests'))
  symlinkSync(join(root, 'node_modules'), join(house, 'node_modules'))
})

afterEach(() => {
  rmSync(house, { recursive: true, force: true })
})

describe('the last line of a test run', () => {
  test('counts what passed and failed, and names what was skipped and why', () => {
    const { lines, status } = run(`
      test('good', () => {})
      test('bad', () => { throw new Error('bad') })
      test.skipIf(true)('kafka (no broker)', () => {})
      test('chromium', (context) => context.skip('not installed'))`)
    expect(lines.slice(-4)).toEqual([
      'skipped: kafka (no broker)',
      'skipped: chromium (not installed)',
      'failed: tests/a.test.ts > bad',
      '1 passed, 1 failed, 2 skipped',
    ])
    expect(status).toBe(1)
  })

  test('names what passed only when tried again', () => {
    const { lines, status } = run(`
      let tries = 0
      test('shaky', { retry: 1 }, () => { tries += 1; if (tries < 2) throw new Error('shaky') })`)
    expect(lines.slice(-2)).toEqual(['passed only when tried again: tests/a.test.ts > shaky', '1 passed, 0 failed'])
    expect(status).toBe(0)
  })

  test('is good only where everything passed', () => {
    expect(run(`test('good', () => {})`)).toMatchObject({ last: '1 passed, 0 failed', status: 0 })
  })

  test.each([
    ['a file that does not load', `import './absent.ts'`, '0 passed, 1 failed'],
    ['a file without a test', ``, '0 passed, 1 failed'],
    ['only skipped tests', `test.skipIf(true)('x', () => {})`, '0 passed, 1 failed, 1 skipped'],
    [
      'a hook that fails',
      `describe('a', () => { beforeAll(() => { throw new Error('x') }); test('b', () => {}) })`,
      '0 passed, 1 failed, 1 skipped',
    ],
    [
      'an error nobody handled',
      `test('a', async () => { setTimeout(() => { throw new Error('x') }); await new Promise((done) => setTimeout(done, 50)) })`,
      '1 passed, 1 failed',
    ],
  ])('counts %s as failed', (_name, source, last) => {
    expect(run(source)).toMatchObject({ last, status: 1 })
  })

  test('counts what was skipped as failed where nothing may be', () => {
    const source = `test('good', () => {})\ntest.skipIf(true)('kafka (no broker)', () => {})`
    expect(run(source)).toMatchObject({ last: '1 passed, 0 failed, 1 skipped', status: 0 })
    expect(run(source, { TEST_NOTHING_SKIPPED: '1' })).toMatchObject({
      last: '1 passed, 1 failed, 1 skipped',
      status: 1,
    })
  })

  test('counts a worker that died as failed', () => {
    const { last, status } = run(`test('a', () => process.kill(process.pid, 'SIGKILL'))`)
    expect(last).toMatch(/^0 passed, [1-9]\d* failed$/)
    expect(status).toBe(1)
  })
})

function run(
  source: string,
  environment: Readonly<Record<string, string>> = {},
): { lines: string[]; last: string | undefined; status: number | null } {
  writeFileSync(
    join(house, 'tests/a.test.ts'),
    `import { beforeAll, describe, test } from 'vitest'\nexport const used = [beforeAll, describe, test]\n${source}\n`,
  )
  const { stdout, status } = spawnSync(
    process.execPath,
    [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', join(root, 'vitest.config.ts'), '--root', house],
    { cwd: root, encoding: 'utf8', env: { ...inherited, NO_COLOR: '1', ...environment } },
  )
  const lines = stdout.trimEnd().split('\n')
  return { lines, last: lines.at(-1), status }
}
