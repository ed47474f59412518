import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { boundaryFaults, boundaryInnocents, codeFaults, codeInnocents } from './support/planted-faults.ts'
import type { PlantedFault } from './support/planted-faults.ts'
import * as tree from './support/tree-checks.ts'

const root = dirname(import.meta.dirname)
const folders: string[] = []

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

describe('the tree', () => {
  type Check = (root: string) => tree.TreeFault[]
  const checks: [name: string, check: Check, ...planted: Record<string, string>[]][] = [
    ['files are short', tree.longFiles, { 'services/long.ts': '\n'.repeat(400) + 'export {}\n' }],
    ['no leftover markers', tree.leftoverMarkers, { 'services/a.ts': `// ${'TO' + 'DO'}: later\n` }],
    ['no paths of one machine', tree.machinePaths, { 'README.md': `see ${'/ho' + 'me/'}ann/x\n` }],
    [
      'imports neither climb nor name a place on the disk',
      tree.strayImports,
      { 'tests/a.test.ts': `import x from '${'..'}/b.ts'\n` },
      { 'tests/a.test.ts': `await ${'import'}('/opt/b.ts')\n` },
    ],
    ['no test is switched off by hand', tree.silencedTests, { 'tests/a.test.ts': `${'it'}.skip('x', () => {})\n` }],
    ['the runner finds every test', tree.unfoundTests, { 'services/a.test.ts': 'export {}\n' }],
    [
      'migrations are frozen',
      tree.thawedMigrations,
      { 'migrations/1.sql': 'changed;\n', 'migrations/frozen.json': '{"1.sql": "0"}' },
      { 'migrations/1.sql': 'new;\n', 'migrations/frozen.json': '{}' },
      { 'migrations/frozen.json': '{"gone.sql": "0"}' },
    ],
    [
      'the lock binds to no registry and knows the packages of every platform',
      tree.lockFaults,
      { 'package-lock.json': '{"packages": {"node_modules/a": {"resolved": "https://example.org/a.tgz"}}}' },
      { 'package-lock.json': '{"packages": {"node_modules/a": {"optionalDependencies": {"b": "1.0.0"}}}}' },
    ],
    [
      'versions are exact',
      tree.looseVersions,
      { 'package.json': '{"dependencies": {"a": "^1.0.0"}, "devDependencies": {}}' },
    ],
  ]

  test.each(checks)('%s', (_name, check) => {
    expect(check(root)).toEqual([])
  })

  test.each(checks)('"%s" finds each planted fault', (_name, check, ...planted) => {
    for (const files of planted) expect(check(plant(Object.entries(files)))).toHaveLength(1)
  })
})

describe('the lint rules', () => {
  const faults = [...boundaryFaults, ...codeFaults]
  const innocents = [...boundaryInnocents, ...codeInnocents]
  let findings: Finding[] = []

  beforeAll(() => {
    findings = lint([...faults, ...innocents])
  })

  test.each(faults)('$rule bites in $path', ({ path, rule, says }) => {
    const here = findings.filter((finding) => finding.filename === path)
    expect(here.map(({ code }) => code)).toContain(rule)
    if (says !== undefined) expect(here.map(({ help }) => help).join('\n')).toContain(says)
  })

  test.each(innocents)('nothing is said of $path', ({ path }) => {
    expect(findings.filter((finding) => finding.filename === path)).toEqual([])
  })
})

type Finding = { readonly code: string; readonly filename: string; readonly help: string }

/** Runs the real lint configuration over planted files alone, in a folder of their own. */
function lint(planted: readonly PlantedFault[]): Finding[] {
  const folder = plant(planted.map(({ path, source }) => [path, source]))
  for (const file of ['.oxlintrc.json', 'tsconfig.json', 'package.json'])
    copyFileSync(join(root, file), join(folder, file))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const { stdout, stderr } = spawnSync(join(root, 'node_modules/.bin/oxlint'), ['--type-aware', '--format=json'], {
    cwd: folder,
    encoding: 'utf8',
  })
  if (!stdout.startsWith('{')) throw new Error(`oxlint did not answer: ${stdout}${stderr}`)
  const answer: { diagnostics: Partial<Finding>[] } = JSON.parse(stdout)
  return answer.diagnostics.map(({ code = '', filename = '', help = '' }) => ({ code, filename, help }))
}

function plant(files: readonly (readonly [path: string, content: string])[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'stepstore-tidy-'))
  folders.push(folder)
  for (const [path, content] of files) {
    mkdirSync(join(folder, dirname(path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
  return folder
}
