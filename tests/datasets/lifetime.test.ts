/** What stays and for how long: pins, unpinned builds, builds that a restart interrupts, saved recipes, shards. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Hono } from 'hono'
import { datasets, type Datasets } from '#services/datasets/datasets.ts'
import { buildKey, type DatasetRequest } from '#services/datasets/request.ts'
import type { RunCopy } from '#services/datasets/run-copy.ts'
import { silent } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { PUBLIC_URL, served } from './served.ts'
import { everything, smallLake, trajectory, type SmallLake } from './small-lake.ts'

const DAY_MS = 24 * 3_600_000
const PATH = '/v1/datasets/trajectories.jsonl'

let lake: SmallLake
let app: Hono
let now = 0
let folder = ''
let more: Datasets[] = []

const json = async (path: string, init?: RequestInit) => {
  const response = await app.request(`${PUBLIC_URL}${path}`, init)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
const text = async (path: string) => {
  const response = await app.request(`${PUBLIC_URL}${path}`)
  return { status: response.status, body: await response.text(), headers: response.headers }
}
const keys = async (prefix: string) => {
  const found: string[] = []
  for await (const { key } of lake.blobs.list(prefix)) found.push(key)
  return found
}

/** Datasets over the same blobs and catalog, as another start of the server would have them. */
function restarted(runCopy: RunCopy = lake.runCopy): Datasets {
  const made = datasets({
    blobs: lake.blobs,
    catalog: lake.catalog,
    runCopy,
    logger: silent,
    clock: () => now,
    scratchDir: join(folder, 'scratch'),
    publicUrl: PUBLIC_URL,
    reach: async () => undefined,
  })
  more.push(made)
  return made
}

beforeEach(async () => {
  now = 0
  more = []
  folder = await mkdtemp(join(tmpdir(), 'stepstore-lifetime-'))
  lake = await smallLake({ clock: () => now })
  await lake.add({
    trajectories: [1, 2, 3, 4].map((index) => trajectory({ trajectory_id: `t${index}`, item_id: `i${index % 2}` })),
  })
  app = served(lake)
})
afterEach(async () => {
  for (const made of more) await made.close()
  await lake.close()
  await rm(folder, { recursive: true, force: true })
})

describe('a build', () => {
  it('for an unpinned URL goes after a day, and one that somebody was given pinned stays', async () => {
    await text(PATH)
    await text(`${PATH}?item=i0`)
    await text(`${PATH}?item=i0&snapshot=1`)
    await json(`${PATH}/pin?item=i1`)
    const same = createHash('sha256')
      .update((await text(`${PATH}?item=i0`)).body)
      .digest('hex')
    now = DAY_MS - 1
    expect(await lake.datasets.sweep()).toBe(0)
    now = DAY_MS + 1
    expect(await lake.datasets.sweep()).toBe(1)
    expect((await keys('datasets/builds/')).length).toBe(2)
    expect(await keys('datasets/objects/')).toContainEqual(expect.stringContaining(same))
    expect((await keys('datasets/objects/')).length).toBe(2)
    // Asked for again it is built again.
    expect((await text(PATH)).body.split('\n').length).toBe(5)
  })

  it('whose bytes another one needs loses its record alone', async () => {
    const one = await text(`${PATH}?item=i0&snapshot=1`)
    expect((await text(`${PATH}?item=i0&policy_version=0`)).body).toBe(one.body)
    now = 2 * DAY_MS
    expect(await lake.datasets.sweep()).toBe(1)
    expect((await text(`${PATH}?item=i0&snapshot=1`)).body).toBe(one.body)
  })

  it('that a stopped server left behind is gone on with, and a cancelled one is not', async () => {
    const never: RunCopy = (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))))
    const first = restarted(never)
    const pinned = async (made: Datasets, item: string) =>
      made.pin(
        {
          recipe: 'trajectories',
          format: 'jsonl',
          shape: 'openai',
          conditions: { item: { any: [item], ne: [] } },
          rewardVersion: undefined,
          include: [],
          limit: undefined,
          seed: undefined,
        },
        { snapshotId: 1, after: new Map(), waitMs: 0 },
      )
    const [left, gone] = await Promise.all(['i0', 'i1'].map(async (item) => first.ready(await pinned(first, item), 1)))
    if (left === undefined || !('build' in left) || gone === undefined || !('build' in gone))
      throw new Error('built at once')
    expect(await first.cancel(gone.build.id)).toBe(true)
    await gone.build.done.catch(() => {})
    await first.close()
    expect(await keys('datasets/pending/')).toEqual([`datasets/pending/${left.build.id}.json`])
    const second = restarted()
    await expect.poll(() => second.manifest(left.build.id), { timeout: 20_000 }).toMatchObject({ rows: 2 })
    await expect.poll(() => keys('datasets/pending/')).toEqual([])
    expect(await second.status(gone.build.id)).toBeUndefined()
  })

  it('that brought its server down three times is given up with an error', async () => {
    const made = restarted()
    const request = {
      recipe: 'trajectories',
      format: 'jsonl',
      shape: 'openai',
      conditions: {},
      rewardVersion: undefined,
      include: [],
      limit: undefined,
      seed: undefined,
    } as const
    const pinned = await made.pin(request, { snapshotId: 1, after: new Map(), waitMs: 0 })
    const id = buildKey(pinned)
    await lake.blobs.put(
      `datasets/pending/${id}.json`,
      Buffer.from(JSON.stringify({ request, snapshotId: 1, begun: 3 })),
    )
    await expect(made.ready(pinned, 20_000)).rejects.toThrow('begun 3 times')
    expect(await keys('datasets/pending/')).toEqual([])
    expect((await made.status(id))?.state).toBe('failed')
  })

  it('that does not fit into the memory of the engine is gathered again in smaller parts, and given up at the smallest', async () => {
    const tooMuch = new Problem('unavailable', 'the engine ran out of its memory', { details: { resource: 'memory' } })
    const request: DatasetRequest = { ...everything, recipe: 'sft', format: 'jsonl' }
    const perPart: string[] = []
    const holding =
      (stepsMax: number): RunCopy =>
      async (job, options) => {
        const kept = JSON.stringify(job.write?.gather[0])
        const steps = Number(/\/\/ (\d+)/.exec(kept)?.[1])
        perPart.push(String(steps))
        if (steps > stepsMax) throw tooMuch
        return lake.runCopy(job, options)
      }
    const build = async (stepsMax: number, limit: number) => {
      const made = restarted(holding(stepsMax))
      const pinned = await made.pin({ ...request, limit }, { snapshotId: 1, after: new Map(), waitMs: 0 })
      return made.ready(pinned, 20_000)
    }
    expect(await build(5000, 3)).toMatchObject({ manifest: { rows: 3 } })
    await expect(build(1, 2)).rejects.toMatchObject({ code: 'unavailable' })
    expect(perPart).toEqual(['50000', '5000', '50000', '5000', '500'])
  })

  it('that fails leaves an error and no file', async () => {
    const made = restarted(() => Promise.reject(new Error('disk on fire')))
    const pinned = await made.pin(
      {
        recipe: 'trajectories',
        format: 'parquet',
        shape: 'openai',
        conditions: {},
        rewardVersion: undefined,
        include: [],
        limit: undefined,
        seed: undefined,
      },
      { snapshotId: 1, after: new Map(), waitMs: 0 },
    )
    await expect(made.ready(pinned, 20_000)).rejects.toMatchObject({ code: 'internal' })
    expect(await keys('datasets/objects/')).toEqual([])
    expect(await keys('datasets/builds/')).toEqual([])
  })
})

describe('a saved recipe', () => {
  const save = (body: unknown) =>
    json('/v1/recipes', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })

  it('is read by its name and its version, and survives a lost store', async () => {
    const first = await save({ name: 'halves', recipe: 'trajectories', filter: { item: ['i1', 'i0'] } })
    expect([first.status, first.body['version'], first.body['query']]).toEqual([201, 1, 'item=i0&item=i1'])
    expect((await save({ name: 'halves', recipe: 'trajectories', filter: 'item=i0&item=i1' })).status).toBe(200)
    const second = await save({ name: 'halves', recipe: 'trajectories', filter: 'item=i0', description: 'evens' })
    expect([second.status, second.body['version']]).toEqual([201, 2])
    const plain = await text(`${PATH}?item=i0`)
    const named = await text('/v1/datasets/@halves.jsonl')
    expect([named.body, named.headers.get('content-location')]).toEqual([
      plain.body,
      `${PUBLIC_URL}${PATH}?item=i0&snapshot=1`,
    ])
    // A name means another thing tomorrow: only its version with a snapshot stays.
    expect((await text('/v1/datasets/@halves.jsonl?snapshot=1')).headers.get('cache-control')).toBe('private, no-cache')
    const old = await text('/v1/datasets/@halves:1.jsonl?snapshot=1&limit=3')
    expect([old.headers.get('stepstore-rows'), old.headers.get('cache-control')]).toEqual([
      '3',
      'private, max-age=31536000, immutable',
    ])
    expect((await json('/v1/recipes')).body['rows']).toMatchObject([
      { name: 'halves', version: 2, description: 'evens' },
    ])
    expect((await json('/v1/recipes/halves')).body['rows']).toMatchObject([{ version: 1 }, { version: 2 }])
    const again = restarted()
    expect((await again.recipes.find('halves', 1)).query).toBe('item=i0&item=i1')
  })

  it('is refused where it makes no sense', async () => {
    for (const body of [
      { name: 'a b', recipe: 'sft' },
      { name: 'a' },
      { name: 'a', recipe: 'sft', filter: 'famly=x' },
      { name: 'a', recipe: 'sft', filter: 'snapshot=1' },
      { name: 'a', recipe: 'sft', query: 'x' },
      { name: 'a', recipe: 'sft', filter: { run: { x: 1 } } },
      'a',
    ])
      expect([body, (await save(body)).status]).toEqual([body, 400])
    expect((await save({ name: 'a', recipe: 'sftt' })).status).toBe(404)
    await save({ name: 'a', recipe: 'trajectories', filter: 'item=i0' })
    expect((await json('/v1/datasets/@a.jsonl?item=i1')).status).toBe(400)
    for (const path of ['@b.jsonl', '@a:2.jsonl', '@a:x.jsonl', '@.jsonl']) {
      expect([path, (await json(`/v1/datasets/${path}`)).status]).toEqual([path, 404])
    }
  })
})

describe('shards', () => {
  it('are a list of pinned URLs that stays the same while more comes in', async () => {
    const list = await json('/v1/datasets/trajectories.jsonl/shards?n=3&snapshot=1')
    expect(list.body).toMatchObject({ snapshot: 1, n: 3 })
    await lake.add({ trajectories: [trajectory({ trajectory_id: 't9' })] })
    expect((await json('/v1/datasets/trajectories.jsonl/shards?n=3&snapshot=1')).body).toEqual(list.body)
    const parts = await Promise.all((list.body['urls'] as string[]).map((url) => text(url.slice(PUBLIC_URL.length))))
    expect(parts.map(({ status }) => status)).toEqual([200, 200, 200])
    const lines = parts.flatMap(({ body }) => body.split('\n').slice(0, -1)).sort()
    expect(lines).toEqual((await text(`${PATH}?snapshot=1`)).body.split('\n').slice(0, -1).sort())
    for (const query of ['', 'n=0', 'n=5000', 'n=2&shard=0/2']) {
      expect([query, (await json(`/v1/datasets/trajectories.jsonl/shards?${query}`)).status]).toEqual([query, 400])
    }
  })
})
