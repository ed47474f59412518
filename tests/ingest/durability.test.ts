/** That an acknowledgement over HTTP comes after its own sync, and what happens when the disk refuses. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { lmdbLogReader } from '#services/log/lmdb-reader.ts'

const SHIM = fileURLToPath(new URL('../support/sync-shim.c', import.meta.url))
const SERVER = fileURLToPath(new URL('../support/ingest-server.ts', import.meta.url))

function hasCompiler(): boolean {
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' })
    return process.platform === 'linux'
  } catch {
    return false
  }
}

interface Span {
  readonly what: string
  readonly from: bigint
  readonly to: bigint
}

describe.skipIf(!hasCompiler())('syncs (needs Linux and a C compiler as `cc`)', () => {
  let build = ''
  let folder = ''
  let server: ChildProcess
  let port = 0

  const trace = (): Span[] =>
    readFileSync(join(folder, 'trace'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [what = '', from = '0', to = '0'] = line.split(' ')
        return { what, from: BigInt(from), to: BigInt(to) }
      })
  const mode = (text: string): void => writeFileSync(join(folder, 'mode'), text)

  async function post(
    id: string,
    padding = 0,
  ): Promise<{ status: number; position: string; sent: bigint; acked: bigint; retryAfter: string | null }> {
    const sent = process.hrtime.bigint()
    const reply = await fetch(`http://127.0.0.1:${port}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/cloudevents+json' },
      body: JSON.stringify({
        specversion: '1.0',
        id,
        source: 'test',
        type: 'run.started',
        data: { run_id: 'one-run', kind: 'rl', config: { id, padding: 'x'.repeat(padding) } },
      }),
    })
    const { position } = (await reply.json()) as { position?: string }
    return {
      status: reply.status,
      position:
        Buffer.from(position ?? '', 'base64url')
          .toString()
          .split(':')
          .at(-1) ?? '',
      sent,
      acked: process.hrtime.bigint(),
      retryAfter: reply.headers.get('retry-after'),
    }
  }

  async function idsInLog(): Promise<string[]> {
    const log = await lmdbLogReader({ folder: join(folder, 'log') })
    const records = await log.read(log.partitionOf('one-run'), 0, { recordsMax: 10_000, bytesMax: 1e9 })
    await log.close()
    return records.map(({ value }) => (JSON.parse(Buffer.from(value ?? []).toString()) as { id: string }).id)
  }

  beforeAll(async () => {
    build = await mkdtemp(join(tmpdir(), 'stepstore-shim-'))
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', join(build, 'shim.so'), SHIM, '-ldl'])
  })
  afterAll(async () => {
    await rm(build, { recursive: true, force: true })
  })
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stepstore-sync-'))
    mode('ok')
    const env = {
      ...process.env,
      LD_PRELOAD: join(build, 'shim.so'),
      SHIM_MODE: join(folder, 'mode'),
      SHIM_TRACE: join(folder, 'trace'),
    }
    server = spawn(process.execPath, [SERVER, folder], { env, stdio: ['ignore', 'pipe', 'ignore'] })
    const [line] = (await once(server.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
    port = Number(line.toString())
  })
  afterEach(async () => {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGKILL')
      await once(server, 'exit')
    }
    await rm(folder, { recursive: true, force: true })
  })

  test('while the sync is held back there is no acknowledgement', async () => {
    await post('before')
    mode('hold')
    let acked = false
    const answer = post('held').finally(() => (acked = true))
    while (!trace().some(({ what }) => what === 'held')) await delay(5)
    await delay(200)
    expect(acked).toBe(false)
    mode('ok')
    expect((await answer).status).toBe(200)
  })

  test('small requests share syncs, and each acknowledgement comes after a sync that began after its request', async () => {
    const before = trace().filter(({ what }) => what === 'data').length
    const answers: Awaited<ReturnType<typeof post>>[] = []
    await Promise.all(
      Array.from({ length: 32 }, async (_, who) => {
        for (let index = 0; index < 10; index++) answers.push(await post(`${who}-${index}`))
      }),
    )
    const spans = trace()
    const syncs = spans.filter(({ what }) => what === 'data')
    const metas = spans.filter(({ what }) => what === 'meta')
    expect(syncs.length - before).toBeGreaterThan(0)
    expect(syncs.length - before).toBeLessThan(answers.length / 2)
    for (const { status, sent, acked } of answers) {
      expect(status).toBe(200)
      const own = syncs.find(({ from, to }) => from > sent && to < acked)
      expect(own).toBeDefined()
      // LMDB names the new state by a write of its own, which is synced by its descriptor.
      expect(metas.some(({ from, to }) => from >= (own?.to ?? 0n) && to < acked)).toBe(true)
    }
    expect(new Set(answers.map(({ position }) => Number(position)))).toEqual(
      new Set(Array.from({ length: 320 }, (_, index) => index + 1)),
    )
  })

  test.each([
    ['the disk is full when the log grows', 'grow 28', 2_000_000],
    ['the sync says that the disk is full', 'sync 28', 0],
    ['the sync says that the disk failed', 'sync 5', 0],
  ])('%s: 503, nothing is acknowledged or kept, and it recovers with dense offsets', async (_, fault, padding) => {
    expect(await post('first')).toMatchObject({ status: 200, position: '1' })
    mode(fault)
    const refused = await Promise.all(Array.from({ length: 5 }, (_each, index) => post(`refused-${index}`, padding)))
    expect(refused.map(({ status, retryAfter }) => [status, retryAfter])).toEqual(
      Array.from({ length: 5 }, () => [503, '5']),
    )
    mode('ok')
    expect(await post('second', padding)).toMatchObject({ status: 200, position: '2' })
    expect(await idsInLog()).toEqual(['first', 'second'])
    server.kill('SIGTERM')
    expect((await once(server, 'exit'))[0]).toBe(0)
  })

  test('a disk that fails the write of the newest state: 503 until a restart, which finds what was acknowledged', async () => {
    expect(await post('first')).toMatchObject({ status: 200 })
    mode('meta 5')
    expect(await post('refused')).toMatchObject({ status: 503 })
    mode('ok')
    expect(await post('refused too')).toMatchObject({ status: 503, retryAfter: '60' })
    server.kill('SIGKILL')
    await once(server, 'exit')
    expect(await idsInLog()).toEqual(['first'])
  })
})
