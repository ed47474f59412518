/** A full disk: a clear refusal, nothing acknowledged that is not kept, and recovery without a restart. */
import { existsSync, readdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { random as randomOf } from '#services/gym/random.ts'
import { bytesOf, fill, RUN } from '#tests/support/filled.ts'
import { until } from '#tests/support/processes.ts'
import {
  cleanUp,
  newWorld,
  runCommand,
  type ServerProcess,
  startServer,
  type World,
} from '#tests/support/server-process.ts'
import { canMount, fillDisk, mount, unmountAll } from '#tests/support/small-disk.ts'
import { checkApi, getJson } from '#tests/support/traffic-check.ts'
import { Traffic } from '#tests/support/traffic.ts'

afterEach(async () => {
  unmountAll()
  await cleanUp()
})

function filled(disk: string): () => void {
  const release = fillDisk(disk)
  expect(statfsSync(disk).bavail).toBe(0)
  return release
}

async function expectClean(world: World): Promise<void> {
  const verified = await runCommand(world, ['verify', '--json'])
  expect(verified, verified.stderr + verified.stdout.slice(0, 2000)).toMatchObject({ code: 0 })
}

const soon = () => AbortSignal.timeout(60_000)
const random = randomOf(31, 'disk')

/** One answer to events that are new, whatever it is. */
async function sendOnce(
  world: World,
  traffic: Traffic,
): Promise<{ status: number; type: string | null; code: unknown }> {
  const sending = traffic.lines(traffic.rollout(random, { textChars: 200_000 }).events)
  sending.attempts += 1
  const answer = await fetch(`${world.url}${sending.path}`, {
    method: 'POST',
    headers: { 'content-type': sending.contentType },
    body: new Uint8Array(sending.body),
  })
  if (answer.ok) sending.acks += 1
  const { code } = (await answer.json()) as { code?: unknown }
  return { status: answer.status, type: answer.headers.get('content-type'), code }
}

/** Sends everything again that was not acknowledged. */
async function sendRest(traffic: Traffic): Promise<void> {
  for (const sending of traffic.sendings) if (sending.acks === 0) await traffic.send(sending, soon())
}

describe.skipIf(!canMount)('a full disk (needs the right to mount a tmpfs)', { timeout: 240_000 }, () => {
  it('of the log: 503 with a problem, nothing lost, and it goes on when there is space again', async () => {
    const plain = await newWorld()
    const disk = join(plain.folder, 'disk')
    mount(disk, 64)
    const world = { ...plain, env: { LOG_URL: `lmdb:${join(disk, 'log')}` } }
    const server = startServer(world)
    await server.ready()
    const traffic = new Traffic({ url: world.url, seed: 31, runId: RUN })
    for (let sent = 0; sent < 5; sent++) await traffic.send(traffic.lines(traffic.rollout(random).events), soon())
    const release = filled(disk)
    const answers: Awaited<ReturnType<typeof sendOnce>>[] = []
    // What room there is in the file is used up first.
    for (let sent = 0; sent < 200 && answers.filter(({ status }) => status !== 200).length < 3; sent++)
      answers.push(await sendOnce(world, traffic))
    const refusals = answers.filter(({ status }) => status !== 200)
    expect(refusals).toHaveLength(3)
    for (const refusal of refusals)
      expect(refusal).toEqual({ status: 503, type: 'application/problem+json', code: 'unavailable' })
    // Reads go on meanwhile.
    await getJson(world, '/v1/runs')
    release()
    await sendRest(traffic)
    expect(traffic.refused).toEqual([])
    await checkApi(world, traffic, RUN)
    await expectClean(world)
    expect(await server.sigterm(), server.said()).toMatchObject({ code: 0 })
  })

  it('of the blobs: events are taken, /readyz says what is wrong, and cuts go on when there is space again', async () => {
    const plain = await newWorld()
    const disk = join(plain.folder, 'disk')
    mount(disk, 32)
    const world = { ...plain, env: { BLOBS_URL: `file:${join(disk, 'blobs')}` } }
    const server = startServer(world)
    await server.ready()
    const traffic = new Traffic({ url: world.url, seed: 32, runId: RUN })
    await traffic.send(traffic.lines(traffic.rollout(random).events), soon())
    await getJson(world, '/v1/snapshots?after=latest&wait=60')
    const release = filled(disk)
    const { sending } = traffic.image(random)
    expect(await traffic.attempt(sending)).toBe(false)
    for (let sent = 0; sent < 5; sent++) await traffic.send(traffic.lines(traffic.rollout(random).events), soon())
    await readyzSays(world, /archive cannot go on: .*ENOSPC/)
    release()
    await sendRest(traffic)
    expect(traffic.refused).toEqual([])
    await getJson(world, '/v1/snapshots?after=latest&wait=60')
    await readyAgain(world)
    await checkApi(world, traffic, RUN)
    await expectClean(world)
    expect(await server.sigterm(), server.said()).toMatchObject({ code: 0 })
  })

  it('of the store: events are taken, /readyz says what is wrong, and reads go on when there is space again', async () => {
    const plain = await newWorld()
    const disk = join(plain.folder, 'disk')
    mount(disk, 160)
    const world = { ...plain, env: { STORE_URL: `pglite:${join(disk, 'store')}` } }
    const server = startServer(world)
    await server.ready()
    const traffic = new Traffic({ url: world.url, seed: 33, runId: RUN })
    await traffic.send(traffic.lines(traffic.rollout(random).events), soon())
    const release = filled(disk)
    // Enough rows that the tables must grow.
    for (let sent = 0; sent < 30; sent++) {
      await traffic.send(
        traffic.lines(Array.from({ length: 100 }, () => traffic.rollout(random, { textChars: 20 }).events).flat()),
        soon(),
      )
    }
    await readyzSays(world, /project cannot go on: .*No space left/)
    for (let sent = 0; sent < 3; sent++) await traffic.send(traffic.lines(traffic.rollout(random).events), soon())
    release()
    await readyAgain(world)
    expect(traffic.refused).toEqual([])
    await checkApi(world, traffic, RUN)
    await expectClean(world)
    expect(await server.sigterm(), server.said()).toMatchObject({ code: 0 })
  })

  it('where datasets are made: new ones are unavailable for now, others are read, and they are built when there is space again', async () => {
    const { world, server } = await onSmallScratch()
    const { pinned } = await fill(world, { rollouts: 60, cuts: 1, seed: 34, textChars: 2_000 })
    const release = filled(world.dataDir)
    const paths = ['parquet', 'jsonl', 'arrow', 'tar'].map(
      (format) => `/v1/datasets/sft.${format}?include=gap&snapshot=1`,
    )
    for (const path of [...paths, ...paths]) {
      const { status, retryAfter, body } = await asked(world, path)
      expect({ path, status, ...body }).toMatchObject({
        path,
        status: 503,
        code: 'unavailable',
        detail: 'the scratch folder is full',
        hint: 'free some space on its disk',
      })
      expect(Number(retryAfter)).toBeGreaterThan(0)
    }
    expect(halfMade(world)).toEqual([])
    for (const { path, sha256 } of pinned) expect(await bytesOf(world, path)).toEqual({ status: 200, sha256 })
    release()
    for (const path of paths) {
      expect(await asked(world, path)).toMatchObject({ status: 200 })
      const { rows, sha256 } = await getJson(world, path.replace('?', '/pin?'))
      expect(rows).toBe(60)
      expect(await bytesOf(world, path)).toEqual({ status: 200, sha256 })
    }
    expect(halfMade(world)).toEqual([])
    expect(await server.sigterm(), server.said()).toMatchObject({ code: 0 })
  })

  it('where cuts are made: events are taken and read, /readyz says what is wrong, and cuts go on when there is space again', async () => {
    const { world, server } = await onSmallScratch()
    const { traffic } = await fill(world, { rollouts: 20, cuts: 1, seed: 35 })
    const before = await getJson(world, '/v1/snapshots?limit=1')
    const release = filled(world.dataDir)
    const more = Array.from({ length: 40 }, () => traffic.rollout(random, { textChars: 2_000 }).events).flat()
    await traffic.send(traffic.lines(more), soon())
    await checkApi(world, traffic, RUN)
    await readyzSays(world, /archive cannot go on: .*(ENOSPC|No space left|scratch folder is full)/)
    expect(await getJson(world, '/v1/snapshots?limit=1')).toEqual(before)
    expect(halfMade(world)).toEqual([])
    release()
    await readyAgain(world)
    await getJson(world, '/v1/snapshots?after=latest&wait=60')
    expect(traffic.refused).toEqual([])
    await checkApi(world, traffic, RUN)
    await expectClean(world)
    expect(await server.sigterm(), server.said()).toMatchObject({ code: 0 })
  })
})

/** A server whose scratch folder is on a small disk, with log, store and blobs elsewhere. */
async function onSmallScratch(): Promise<{ world: World; server: ServerProcess }> {
  const plain = await newWorld()
  mount(plain.dataDir, 48)
  const env = {
    LOG_URL: `lmdb:${join(plain.folder, 'log')}`,
    STORE_URL: `pglite:${join(plain.folder, 'store')}`,
    BLOBS_URL: `file:${join(plain.folder, 'blobs')}`,
  }
  const world = { ...plain, env }
  const server = startServer(world)
  await server.ready()
  return { world, server }
}

/** What lies where datasets and cuts are made. */
function halfMade(world: World): string[] {
  const scratch = join(world.dataDir, 'scratch')
  return [
    ...readdirSync(join(scratch, 'built')),
    ...readdirSync(join(scratch, 'cuts')).filter((name) => /^(cut|staged)-/.test(name)),
    ...(existsSync(join(scratch, 'datasets', 'duckdb-spill'))
      ? readdirSync(join(scratch, 'datasets', 'duckdb-spill'))
      : []),
  ]
}

/** How a dataset is answered, once the server knows. */
async function asked(
  world: World,
  path: string,
): Promise<{ status: number; retryAfter: string | null; body: Record<string, unknown> }> {
  for (;;) {
    const answer = await fetch(`${world.url}${path}`)
    if (answer.status === 202) {
      await answer.body?.cancel()
      continue
    }
    const body = answer.headers.get('content-type') === 'application/problem+json' ? await answer.json() : {}
    return {
      status: answer.status,
      retryAfter: answer.headers.get('retry-after'),
      body: body as Record<string, unknown>,
    }
  }
}

async function readyz(world: World): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${world.url}/readyz`)
  return { status: answer.status, text: await answer.text() }
}

async function readyzSays(world: World, what: RegExp): Promise<void> {
  let last = ''
  await until(
    '/readyz to say what is wrong',
    async () => {
      const { status, text } = await readyz(world)
      last = text
      await sleep(100)
      return status === 503 && what.test(text) ? true : undefined
    },
    30_000,
  ).catch((error: Error) => expect.unreachable(`${error.message}; it says ${last}`))
}

async function readyAgain(world: World): Promise<void> {
  await until(
    '/readyz to be well again',
    async () => {
      await sleep(100)
      return (await readyz(world)).status === 200 ? true : undefined
    },
    60_000,
  )
}
