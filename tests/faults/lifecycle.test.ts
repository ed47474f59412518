import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request as connectTo, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { freePort } from '#tests/support/server-process.ts'

const root = dirname(dirname(import.meta.dirname))
const main = join(root, 'services/cli/main.ts')

let folder = ''
const children = new Set<ChildProcess>()

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepstore-serve-'))
})

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  children.clear()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function stepstore(
  args: readonly string[],
  environment: Record<string, string> = {},
  program = main,
): { child: ChildProcess; out: () => string; err: () => string } {
  const child = spawn(process.execPath, [program, ...args], {
    env: { PATH: process.env['PATH'], DATA_DIR: folder, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  let out = ''
  let err = ''
  child.stdout.on('data', (piece: Buffer) => {
    out += piece.toString()
  })
  child.stderr.on('data', (piece: Buffer) => {
    err += piece.toString()
  })
  return { child, out: () => out, err: () => err }
}

/** Runs a command to its end. */
async function ran(
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> {
  const { child, out, err } = stepstore(args, environment)
  const [code] = (await once(child, 'close')) as [number]
  return { code, out: out(), err: err() }
}

/** Starts a server and waits for its line. */
async function serving(
  environment: Record<string, string> = {},
): Promise<{ child: ChildProcess; url: string; port: number; err: () => string }> {
  const { child, out, err } = stepstore(['serve', '--json'], { PORT: '0', ...environment })
  while (!out().includes('\n')) {
    if (child.exitCode !== null) throw new Error(`the server ended: ${err()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { url, port } = JSON.parse(out()) as { url: string; port: number }
  return { child, url, port, err }
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<unknown> {
  child.kill(signal)
  const [code, by] = (await once(child, 'exit')) as [number | null, string | null]
  return code ?? by
}

/**
 * A way to a server that hands on one request with events and keeps the others until it is let go; whatever is kept then,
 * or comes while the server is away, is cut off.
 */
async function gate(port: number): Promise<{ port: number; release: () => void; close: () => Promise<unknown> }> {
  const kept = new Set<ServerResponse>()
  let [sent, isOpen] = [0, false]
  const front = createServer((request, response) => {
    if (request.method === 'POST' && !isOpen && sent++ > 0) {
      kept.add(response)
      return
    }
    const { method = 'GET', url = '/', headers } = request
    const onward = connectTo({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.on('error', () => response.destroy()).pipe(response)
    })
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  return {
    port: (front.address() as AddressInfo).port,
    release: () => {
      isOpen = true
      for (const response of kept) response.destroy()
    },
    close: async () => {
      front.closeAllConnections()
      await new Promise((resolve) => front.close(resolve))
    },
  }
}

/** Rollouts in the layout of tau-bench. */
function rollouts(tasks: number, trials: number, words: number): string {
  const records = []
  for (let trial = 0; trial < trials; trial++) {
    for (let task = 0; task < tasks; task++) {
      const traj = [
        { role: 'system', content: '# Airline Agent Policy' },
        { role: 'user', content: 'Hello' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c', type: 'function', function: { name: 'find', arguments: '{"id": 1}' } }],
        },
        { role: 'tool', tool_call_id: 'c', name: 'find', content: `${task}/${trial} `.repeat(words) },
        { role: 'assistant', content: 'Done.' },
      ]
      const reward = (task + trial) % 2
      records.push({
        task_id: task,
        reward,
        trial,
        traj,
        info: {
          task: { instruction: `Task ${task}`, outputs: [], actions: [] },
          reward_info: { reward, info: { r_actions: reward } },
        },
      })
    }
  }
  return JSON.stringify(records)
}

const figures = {
  trajectories: 40,
  steps: 80,
  tool_calls: 40,
  items: 10,
  groups: 10,
  events: 40 * 4 + 10 + 2,
  conflicts: 0,
  unreadable: 0,
}

describe('a served data folder', () => {
  test('takes an import once, shows it, agrees with itself, and drains on SIGTERM', async () => {
    const file = join(folder, 'model-airline.json')
    writeFileSync(file, rollouts(10, 4, 3))
    const { child, url, port } = await serving()
    const first = await ran(['import', 'tau-bench', file, '--json'], { PORT: String(port) })
    expect(first.err).toBe('')
    expect(JSON.parse(first.out)).toMatchObject({ ...figures, duplicates: 0 })
    const again = await ran(['import', 'tau-bench', file, '--json'], { PORT: String(port) })
    expect(JSON.parse(again.out)).toMatchObject({ ...figures, duplicates: figures.events })
    const run = (await (await fetch(`${url}/v1/runs/model-airline`)).json()) as Record<string, unknown>
    expect(run).toMatchObject({ n_trajectories: 40, n_steps: 80, n_tool_calls: 40, n_conflicts: 0, state: 'finished' })
    const whole = (await (
      await fetch(`${url}/v1/trajectories/${encodeURIComponent('model-airline/airline/3/1')}`)
    ).json()) as { messages: unknown[] }
    expect(whole.messages).toHaveLength(5)
    const served = await ran(['verify', '--json'], { PORT: String(port) })
    expect(JSON.parse(served.out)).toMatchObject({
      ok: true,
      counts: { events: figures.events, trajectories: 40, steps: 80, tool_calls: 40 },
    })

    const second = await ran(['serve'], { PORT: '0' })
    expect(second).toMatchObject({ code: 1, err: expect.stringContaining(`process ${child.pid}`) })

    expect(await ended(child, 'SIGTERM')).toBe(0)
    const alone = await ran(['verify', '--json'], { PORT: '1' })
    expect(JSON.parse(alone.out)).toMatchObject({ ok: true, counts: { events: figures.events } })
    const explained = await ran(['explain', 'model-airline/airline/3/1', '--json'], { PORT: '1' })
    expect(JSON.parse(explained.out)).toMatchObject({ found: [{ kind: 'trajectory', row: { n_steps: 2 } }] })
  }, 120_000)

  test('an import outlives a server that is killed and started again, and doubles nothing', async () => {
    const file = join(folder, 'model-airline.json')
    // 10 MB, in several requests.
    writeFileSync(file, rollouts(10, 100, 1600))
    const first = await serving()
    // However fast it is, it is under way when the server is killed.
    const way = await gate(first.port)
    onTestFinished(async () => void (await way.close()))
    const importing = stepstore(['import', 'tau-bench', file, '--json'], { PORT: String(way.port) })
    const done = once(importing.child, 'close') as Promise<[number]>
    for (let seen = 0; seen < 200;) {
      const answer = await fetch(`${first.url}/v1/position`).then(
        (response) => response.json() as Promise<Record<string, unknown>>,
      )
      seen = String(answer['log_end_offsets'])
        .split(',')
        .reduce((sum, part) => sum + Number(part.split(':')[1] ?? 0), 0)
    }
    expect(await ended(first.child, 'SIGKILL')).toBe('SIGKILL')
    way.release()
    while (!importing.err().includes('trying again') && importing.child.exitCode === null) await pause()
    const second = await serving({ PORT: String(first.port) })
    const [code] = await done
    expect(importing.err()).toContain('trying again')
    expect(code).toBe(0)
    expect(JSON.parse(importing.out())).toMatchObject({ trajectories: 1000, conflicts: 0, unreadable: 0 })
    const run = await fetch(`${second.url}/v1/runs/model-airline`).then(
      (response) => response.json() as Promise<Record<string, unknown>>,
    )
    expect(run).toMatchObject({ n_trajectories: 1000, n_steps: 2000, n_conflicts: 0 })
    const verified = await ran(['verify', '--json'], { PORT: String(first.port) })
    expect(JSON.parse(verified.out)).toMatchObject({ ok: true, counts: { trajectories: 1000, steps: 2000 } })
  }, 180_000)

  test('is drained by its server when the launcher is killed, and nothing goes on running', async () => {
    const launcher = join(root, 'bin/stepstore.js')
    const { out } = stepstore(['serve', '--json'], { PORT: '0' }, launcher)
    while (!out().includes('\n')) await pause()
    const { pid } = JSON.parse(out()) as { pid: number }
    for (const child of children) child.kill('SIGKILL')
    while (isAlive(pid)) await pause()
    const { out: told } = await ran(['doctor', '--json'], { PORT: '1' })
    expect(JSON.parse(told)).toMatchObject({ data_folder: { store: 'closed well' } })
  }, 240_000)

  test('is stopped in the middle of its start, and starts again', async () => {
    const port = String(await freePort())
    const { child, err } = stepstore(['serve', '--json'], { PORT: port })
    const reply = async (): Promise<string> =>
      fetch(`http://127.0.0.1:${port}/readyz`).then(
        (answer) => answer.text(),
        () => '',
      )
    // The port is there before the store is.
    while ((await reply()) === '') await pause()
    expect([await ended(child, 'SIGTERM'), err().includes('    at ')]).toEqual([0, false])
    const again = await serving()
    expect(await ended(again.child, 'SIGTERM')).toBe(0)
  }, 240_000)

  test('is told apart from that of a server elsewhere, by doctor', async () => {
    const { port } = await serving({ DATA_DIR: join(folder, 'demo') })
    const beside = JSON.parse((await ran(['doctor', '--json'], { PORT: String(port) })).out) as unknown
    expect(beside).toMatchObject({ ok: true, data_folder: { path: join(folder, 'demo'), of_server: true } })
    const other = join(folder, 'other')
    const alone = await serving({ DATA_DIR: other })
    expect(await ended(alone.child, 'SIGTERM')).toBe(0)
    const { code, out } = await ran(['doctor', '--json'], { PORT: String(port), DATA_DIR: other })
    expect([code, JSON.parse(out)]).toMatchObject([
      1,
      {
        data_folder: { path: other, of_server: false },
        findings: [{ what: expect.stringContaining('another data folder') }],
      },
    ])
  }, 240_000)

  test('gets nothing from a file that is not of tau-bench', async () => {
    const { port, url } = await serving()
    for (const [index, text] of ['[{"question": "?"}]', '[]', 'words', '{"task_id": 1}\n{"task_id": 2}'].entries()) {
      const file = join(folder, `other-${index}.json`)
      writeFileSync(file, text)
      const { code, err } = await ran(['import', 'tau-bench', file], { PORT: String(port) })
      expect([text, code, err]).toEqual([text, 1, expect.stringContaining('is not a tau-bench file')])
    }
    const { rows } = (await (await fetch(`${url}/v1/runs`)).json()) as { rows: unknown[] }
    expect(rows).toEqual([])
  }, 240_000)

  test('has quarantined records that are named by the beginning of their ids', async () => {
    const { port, url } = await serving()
    const body = Array.from({ length: 40 }, (_, index) => `{"half ${index} ${'x'.repeat(200)}`).join('\n')
    await fetch(`${url}/v1/events`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body })
    const environment = { PORT: String(port) }
    const listed = await ran(['quarantine', 'ls'], environment)
    expect(Math.max(...listed.out.split('\n').map((line) => line.length))).toBeLessThan(140)
    const id = /^ {2}([0-9a-f]{12}) /m.exec(listed.out)?.[1] ?? ''
    const shown = JSON.parse((await ran(['quarantine', 'show', id, '--json'], environment)).out) as unknown
    expect(shown).toMatchObject({ quarantine_id: expect.stringMatching(new RegExp(`^${id}[0-9a-f]{52}$`)) })
    // 40 ids have 16 beginnings.
    const digits = [...listed.out.matchAll(/^ {2}([0-9a-f])[0-9a-f]{11} /gm)].map((match) => match[1] ?? '')
    const often = digits.find((digit, index) => digits.indexOf(digit) !== index) ?? ''
    const several = await ran(['quarantine', 'drop', often], environment)
    expect([several.code, several.err]).toEqual([2, expect.stringContaining('several ids begin with')])
  }, 240_000)

  test('of a newer version is refused with what to do', async () => {
    writeFileSync(join(folder, 'format.json'), '{"version": 99}')
    const { code, err } = await ran(['serve', '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(err)).toMatchObject({ code: 'newer_data', hint: expect.stringContaining('newer version') })
    expect(readFileSync(join(folder, 'format.json'), 'utf8')).toContain('99')
  })
})

describe('the command line', () => {
  test.each([
    [['--help'], 0],
    [['serve', '--help'], 0],
    [[], 2],
    [['verfy'], 2],
    [['verify', '--jsn'], 2],
    [['import', 'tau-bnch', 'x'], 2],
    [['quarantine', 'lst'], 2],
    [['rebuild', 'catalogue'], 2],
  ] as const)('%j ends with %i', async (args, code) => {
    const result = await ran(args, { PORT: '1' })
    expect(result.code).toBe(code)
    expect(result.out + result.err).not.toContain('    at ')
  })

  test('an import without a server says what to do', async () => {
    const { code, err } = await ran(['import', 'tau-bench', 'x.json'], { PORT: '1' })
    expect(code).toBe(1)
    expect(err).toContain('npm start')
  })

  test('doctor works with no server and masks the key', async () => {
    const { code, out } = await ran(['doctor', '--json'], { PORT: '1', STEPSTORE_KEY: 'hunter2' })
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ ok: true, server: null, findings: [] })
    expect(out).not.toContain('hunter2')
  })
})
