import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const root = dirname(dirname(import.meta.dirname))
let house = ''

beforeEach(() => {
  house = mkdtempSync(join(tmpdir(), 'stepstore-launcher-'))
  mkdirSync(join(house, 'bin'))
  mkdirSync(join(house, 'services/cli'), { recursive: true })
  copyFileSync(join(root, 'bin/stepstore.js'), join(house, 'bin/stepstore.js'))
  writeFileSync(join(house, 'package.json'), '{"type": "module"}')
})

afterEach(() => {
  rmSync(house, { recursive: true, force: true })
})

describe('the launcher', () => {
  test('runs the program under the pinned Node and passes arguments, input and the exit code', () => {
    program(`
      const lines: string[] = []
      for await (const piece of process.stdin) lines.push(String(piece))
      process.stdout.write(JSON.stringify([process.versions.node, process.argv.slice(2), lines.join('')]))
      process.exit(7)`)
    const { status, stdout } = spawnSync(process.execPath, [launcher(), 'demo', '--', '--exit', 'a b'], {
      encoding: 'utf8',
      input: 'words',
    })
    expect(status).toBe(7)
    expect(JSON.parse(stdout)).toEqual([process.versions.node, ['demo', '--', '--exit', 'a b'], 'words'])
  })

  test('hands on SIGTERM and waits for the program to end in its own way', async () => {
    program(`
      process.on('SIGTERM', () => { process.stdout.write('drained'); process.exit(3) })
      setInterval(() => {}, 1000)
      process.stdout.write('ready ')`)
    const child = spawn(process.execPath, [launcher()], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.on('data', (piece: Buffer) => {
      if (said === '') child.kill('SIGTERM')
      said += piece.toString()
    })
    const [code] = await once(child, 'close')
    expect(said).toBe('ready drained')
    expect(code).toBe(3)
  })

  test('killed, tells the program by closing the channel between them', async () => {
    program(`
      process.once('disconnect', () => { process.stdout.write('alone'); process.exit(0) })
      setInterval(() => {}, 1000)
      process.stdout.write('ready ')`)
    const child = spawn(process.execPath, [launcher()], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.on('data', (piece: Buffer) => {
      if (said === '') child.kill('SIGKILL')
      said += piece.toString()
    })
    await once(child, 'close')
    expect(said).toBe('ready alone')
  })

  test('answers 128 and the signal for a program that a signal ended', () => {
    program(`process.kill(process.pid, 'SIGKILL')`)
    expect(spawnSync(process.execPath, [launcher()]).status).toBe(137)
  })

  test('says what to do where the pinned Node is not installed', () => {
    const { status, stderr } = spawnSync(process.execPath, [launcher()], { encoding: 'utf8' })
    expect(status).toBe(69)
    expect(stderr).toContain('npm ci')
  })
})

function launcher(): string {
  return join(house, 'bin/stepstore.js')
}

function program(source: string): void {
  symlinkSync(join(root, 'node_modules'), join(house, 'node_modules'))
  writeFileSync(join(house, 'services/cli/main.ts'), source)
}
