import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
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
  const { lines } = readConfig({ STEPSTORE_GYM_TOOLS: String.raw`{"A": {"key" : "a\"secret-1"}}` })
  expect(JSON.stringify(lines)).not.toContain('secret-1')
})

it('the key of an endpoint is printed nowhere, and an address with a password is refused without it', async () => {
  const { lines } = readConfig({ OPENAI_API_KEY: 'secret-2' })
  expect(JSON.stringify(lines)).not.toContain('secret-2')
  const run = promisify(execFile)
  const policy = 'openai:http://me:secret-3@127.0.0.1:9/v1'
  const args = [fileURLToPath(import.meta.resolve('#services/cli/main.ts')), 'gym', 'run', '--policy', policy]
  const failed: unknown = await run(process.execPath, [...args, '--model', 'm']).catch((error: unknown) => error)
  const { stderr, code } = failed as { stderr: string; code: number }
  expect(code).toBe(2)
  expect(stderr).toContain('bears no password')
  expect(stderr).not.toContain('secret-3')
})
