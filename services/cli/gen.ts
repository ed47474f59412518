/** `npm run gen`: writes schemas/generated and freezes new versions of events; with --check only says what differs. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { currentHashes, generatedFiles, thawedEvents } from './generated.ts'

const schemas = join(import.meta.dirname, '..', '..', 'schemas')
const folder = join(schemas, 'generated')
const frozenFile = join(schemas, 'frozen.json')

const textOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '')

function check(): string[] {
  const frozen = JSON.parse(textOf(frozenFile) || '{}') as Record<string, string>
  const unfrozen = Object.keys(currentHashes()).filter((name) => frozen[name] === undefined)
  const stale = [...generatedFiles()].filter(([name, text]) => textOf(join(folder, name)) !== text)
  return [
    ...thawedEvents(frozen, currentHashes()),
    ...unfrozen.map((name) => `${name} is not frozen; run: npm run gen`),
    ...stale.map(([name]) => `schemas/generated/${name} differs from the definitions; run: npm run gen`),
  ]
}

function write(): string[] {
  const frozen = JSON.parse(textOf(frozenFile) || '{}') as Record<string, string>
  const faults = thawedEvents(frozen, currentHashes())
  if (faults.length > 0) return faults
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of generatedFiles()) writeFileSync(join(folder, name), text)
  writeFileSync(frozenFile, `${JSON.stringify({ ...currentHashes(), ...frozen }, null, 2)}\n`)
  return []
}

const faults = process.argv.includes('--check') ? check() : write()
for (const fault of faults) console.error(fault)
process.exitCode = faults.length > 0 ? 1 : 0
