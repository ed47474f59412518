import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readConfig } from '#services/config.ts'

it('the gym runs beside the others unless told otherwise, and alone wherever it is', () => {
  expect(readConfig({}).programs).toContain('gym')
  expect(readConfig({ PROGRAMS: 'gym' }).programs).toEqual(['gym'])
  expect(readConfig({ PROGRAMS: 'ingest,project,archive,query' }).programs).not.toContain('gym')
})

it('what is embedded is not parted by it', () => {
  expect(() => readConfig({ PROGRAMS: 'gym,query' })).toThrow('leaves out ingest, project, archive')
})

it('remote tools come as JSON, or from a file of it', () => {
  const text = '{"GroundingDINO": {"url": "http://h:1", "wire": "openai", "key": "secret-1"}}'
  expect(readConfig({ STEPSTORE_GYM_TOOLS: text }).gymTools).toBe(text)
  const folder = mkdtempSync(join(tmpdir(), 'stepstore-gym-config-'))
  const file = join(folder, 'tools.json')
  writeFileSync(file, text)
  expect(readConfig({ STEPSTORE_GYM_TOOLS: file }).gymTools).toBe(text)
  rmSync(folder, { recursive: true })
  expect(() => readConfig({ STEPSTORE_GYM_TOOLS: file })).toThrow('cannot be read (ENOENT)')
})

it('keys of remote tools are not printed', () => {
  const { lines } = readConfig({ STEPSTORE_GYM_TOOLS: '{"A": {"key" : "secret-1"}}' })
  expect(JSON.stringify(lines)).not.toContain('secret-1')
})
