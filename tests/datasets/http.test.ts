import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Hono } from 'hono'
import type { RunCopy } from '#services/datasets/run-copy.ts'
import { PUBLIC_URL, served } from './served.ts'
import { smallLake, trajectory, type SmallLake } from './small-lake.ts'

const PATH = '/v1/datasets/trajectories.parquet'
/** The answer with its body read, as a client that reads it would have it. */
async function get(app: Hono, path: string, headers: Record<string, string> = {}): Promise<Response> {
  const response = await app.request(`${PUBLIC_URL}${path}`, { headers })
  const body = await response.arrayBuffer()
  return new Response(body.byteLength === 0 ? null : body, response)
}
const json = async (response: Response) => (await response.json()) as Record<string, unknown>
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer())

describe('a served dataset', () => {
  let lake: SmallLake
  let app: Hono
  let whole: Buffer

  beforeAll(async () => {
    lake = await smallLake()
    await lake.add(
      {
        trajectories: [
          trajectory({ trajectory_id: 't1', policy_version: 1 }),
          trajectory({ trajectory_id: 't2', policy_version: 2 }),
          trajectory({ trajectory_id: "a,b;c:d*e&f=g'h%i", run_id: 'r 2' }),
        ],
        scores: [
          { trajectory_id: 't1', offset: 1, reward: 1 },
          { trajectory_id: 't2', offset: 1, reward: 0 },
        ],
      },
      '0:5',
    )
    app = served(lake)
    whole = await bytesOf(await get(app, PATH))
  })
  afterAll(async () => {
    await lake.close()
  })

  it('says what it is: exact length, strong ETag of the bytes, rows, manifest, position, and the URL that is pinned', async () => {
    const response = await get(app, `${PATH}?reward_gte=1`)
    const body = await bytesOf(response)
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toEqual({
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-cache',
      'content-length': String(body.length),
      'content-type': 'application/vnd.apache.parquet',
      'content-location': `${PUBLIC_URL}${PATH}?reward_gte=1&snapshot=1`,
      etag: `"${createHash('sha256').update(body).digest('hex')}"`,
      'stepstore-rows': '1',
      'stepstore-snapshot': '1',
      'stepstore-manifest': expect.stringMatching(/^http:\/\/stepstore\.test\/v1\/datasets\/manifests\/[0-9a-f]{64}$/),
      'stepstore-position': expect.any(String),
    })
    const manifest = await json(
      await get(app, response.headers.get('stepstore-manifest')?.slice(PUBLIC_URL.length) ?? ''),
    )
    expect(manifest).toMatchObject({
      filter: 'reward_gte=1',
      snapshot: 1,
      offsets: '0:5',
      rows: 1,
      bytes: body.length,
      counts: { trajectories: 3, rows: 1, filtered: { reward: 2 } },
      url: `${PUBLIC_URL}${PATH}?reward_gte=1&snapshot=1`,
    })
  })

  it('pinned, it may be cached for ever', async () => {
    const response = await get(app, `${PATH}?snapshot=1`)
    expect(response.headers.get('cache-control')).toBe('private, max-age=31536000, immutable')
    expect(response.headers.has('content-location')).toBe(false)
    expect(await bytesOf(response)).toEqual(whole)
  })

  it('answers HEAD as GET, without the body', async () => {
    for (const headers of [{}, { range: 'bytes=-10' }, { range: 'bytes=5-9' }]) {
      const head = await app.request(`${PUBLIC_URL}${PATH}`, { method: 'HEAD', headers })
      const full = await get(app, PATH, headers)
      expect(head.status).toBe(full.status)
      expect(Object.fromEntries(head.headers)).toEqual(Object.fromEntries(full.headers))
      expect((await bytesOf(head)).length).toBe(0)
    }
  })

  it('serves any range as the same part of the bytes', async () => {
    const bound = fc.integer({ min: 0, max: whole.length + 20 })
    await fc.assert(
      fc.asyncProperty(bound, bound, async (left, right) => {
        const [start, last] = left <= right ? [left, right] : [right, left]
        const asked: [string, Buffer][] = [
          [`bytes=${start}-${last}`, whole.subarray(start, last + 1)],
          [`bytes=${start}-`, whole.subarray(start)],
          [`bytes=-${start}`, start === 0 ? whole.subarray(whole.length) : whole.subarray(-start)],
        ]
        for (const [range, expected] of asked) {
          const response = await get(app, PATH, { range })
          if (expected.length === 0) {
            expect([range, response.status, response.headers.get('content-range')]).toEqual([
              range,
              416,
              `bytes */${whole.length}`,
            ])
            continue
          }
          const from = range.startsWith('bytes=-') ? whole.length - expected.length : start
          expect([
            range,
            response.status,
            response.headers.get('content-length'),
            response.headers.get('content-range'),
          ]).toEqual([
            range,
            206,
            String(expected.length),
            `bytes ${from}-${from + expected.length - 1}/${whole.length}`,
          ])
          expect((await bytesOf(response)).equals(expected)).toBe(true)
        }
      }),
      { numRuns: 60 },
    )
  })

  it.each(['bytes=0-1,4-5', 'bytes=9-3', 'lines=0-1', 'bytes=', 'bytes=a-b', 'nonsense'])(
    'gives the whole where the range is %s',
    async (range) => {
      const response = await get(app, PATH, { range })
      expect(response.status).toBe(200)
      expect(await bytesOf(response)).toEqual(whole)
    },
  )

  it('answers 304 to who has the bytes, and the whole to who has others', async () => {
    const etag = (await get(app, PATH)).headers.get('etag') ?? ''
    expect((await get(app, PATH, { 'if-none-match': `"x", W/${etag}` })).status).toBe(304)
    expect((await get(app, PATH, { 'if-none-match': '"x"' })).status).toBe(200)
    expect((await get(app, PATH, { range: 'bytes=0-3', 'if-range': etag })).status).toBe(206)
    expect((await get(app, PATH, { range: 'bytes=0-3', 'if-range': '"x"' })).status).toBe(200)
  })

  it('takes the format beside the path, and query strings that were decoded on the way', async () => {
    expect(await bytesOf(await get(app, '/v1/datasets/trajectories?format=parquet'))).toEqual(whole)
    const item = encodeURIComponent('x,y:z*')
    const [encoded, decoded] = await Promise.all([get(app, `${PATH}?item=${item}`), get(app, `${PATH}?item=x,y:z*`)])
    expect(encoded.headers.get('content-location')).toBe(`${PUBLIC_URL}${PATH}?item=x%2Cy%3Az%2A&snapshot=1`)
    expect(decoded.headers.get('content-location')).toBe(encoded.headers.get('content-location'))
  })

  it('gives the counts alone', async () => {
    expect(
      await json(await get(app, `${PATH}?policy_version=1&policy_version=2&correct=true&explain=counts`)),
    ).toMatchObject({
      snapshot: 1,
      counts: { trajectories: 3, rows: 1, filtered: { policy_version: 1, correct: 1 } },
    })
  })

  it('pins: the URL, rows, bytes, hash and manifest of what is built', async () => {
    const response = await get(app, '/v1/datasets/trajectories/pin?format=parquet&run=r%202')
    const pin = await json(response)
    expect(response.status).toBe(200)
    expect(pin).toMatchObject({ url: `${PUBLIC_URL}${PATH}?run=r%202&snapshot=1`, rows: 1, snapshot: 1 })
    const file = await bytesOf(await get(app, String(pin['url']).slice(PUBLIC_URL.length)))
    expect([file.length, createHash('sha256').update(file).digest('hex')]).toEqual([pin['bytes'], pin['sha256']])
  })

  it.each([
    ['/v1/datasets/sftt.parquet', 404, 'did you mean sft?'],
    ['/v1/datasets/sft.parqet', 404, 'did you mean parquet?'],
    ['/v1/datasets/sft', 400, 'ask for sft.parquet, or add format=parquet'],
    ['/v1/datasets/sft.parquet?format=jsonl', 400, 'leave out one of them'],
    ['/v1/datasets/sft.parquet?rewrad_gte=1', 400, 'did you mean reward_gte?'],
    ['/v1/datasets/sft.parquet?status=complete', 400, 'did you mean status=completed?'],
    ['/v1/datasets/sft.parquet?include=gaps', 400, 'did you mean include=gap?'],
    ['/v1/datasets/sft.parquet?seed=1', 400, 'add limit=…'],
    ['/v1/datasets/sft.parquet?snapshot=7', 404, '/v1/snapshots lists them; leave out snapshot for the newest'],
    ['/v1/datasets/sft.parquet?after=2:9&snapshot=1', 400, 'leave out one of snapshot and after'],
    ['/v1/datasets/sft.parquet?after=2:9&wait=0', 503, 'ask again later, or wait longer with wait=60'],
    ['/v1/datasets/builds/x', 404, 'ask for the dataset or its pin to start one'],
  ])('%s is %i: %s', async (path, status, hint) => {
    const response = await get(app, path)
    expect([response.status, (await json(response))['hint']]).toEqual([status, hint])
  })

  it.each([
    'reward_gte=1e400',
    'reward=NaN',
    'policy_version=1.5',
    'policy_version=-1',
    'run=',
    'run=%00',
    'run=a%0Ab',
    'correct=yes',
    'limit=0',
    'shape=verl',
    'reward_version=*',
    'snapshot=0',
    'explain=all',
  ])('refuses %s', async (query) => {
    const response = await get(app, `${PATH}?${query}`)
    expect([query, response.status, (await json(response))['code']]).toEqual([query, 400, 'invalid_parameter'])
  })

  it('refuses a name that is longer than an id can be', async () => {
    expect((await get(app, `${PATH}?run=${'x'.repeat(256)}`)).status).toBe(200)
    expect((await get(app, `${PATH}?run=${'ü'.repeat(129)}`)).status).toBe(400)
  })

  it.each([
    "x'; DROP TABLE candidates; --",
    "'; COPY (SELECT 1) TO '/tmp/x'; --",
    '\\',
    '"',
    '$$',
    "'||'",
    '%',
    '\u{1f600}',
  ])('finds nothing under the name %s, and does nothing else', async (name) => {
    for (const parameter of ['run', 'item', 'group', 'family', 'reward_version']) {
      const response = await get(app, `${PATH}?${parameter}=${encodeURIComponent(name)}&explain=counts`)
      expect(response.status).toBe(200)
    }
  })

  it('lists what can be asked for', async () => {
    const all = await json(await get(app, '/v1/datasets'))
    expect((all['recipes'] as { name: string }[]).map(({ name }) => name)).toEqual([
      'sft',
      'grpo',
      'preference',
      'transitions',
      'steps',
      'trajectories',
      'items',
    ])
    expect(all['filters']).toContainEqual({
      name: 'reward',
      kind: 'real',
      description: 'The reward.',
      operators: ['', 'gte', 'lte', 'gt', 'lt', 'ne'],
    })
  })
})

describe('a URL', () => {
  let lake: SmallLake

  beforeEach(async () => {
    lake = await smallLake()
  })
  afterEach(async () => {
    await lake.close()
  })

  it('that is pinned gives the same bytes after more has come and after its snapshot has gone', async () => {
    await lake.add({ trajectories: [trajectory({ trajectory_id: 't1' })] })
    const app = served(lake)
    const before = await bytesOf(await get(app, `${PATH}?snapshot=1`))
    await lake.add({
      trajectories: [trajectory({ trajectory_id: 't2' })],
      scores: [{ trajectory_id: 't1', offset: 4, reward: 1 }],
    })
    expect((await get(app, PATH)).headers.get('stepstore-rows')).toBe('2')
    lake.expire(2)
    expect(await bytesOf(await get(app, `${PATH}?snapshot=1`))).toEqual(before)
    const never = await get(app, `${PATH}?snapshot=1&run=r1`)
    expect([never.status, (await json(never))['code']]).toEqual([410, 'snapshot_expired'])
  })

  it('that is not pinned goes on with the snapshot it began, while ranges are read', async () => {
    await lake.add({ trajectories: [trajectory({ trajectory_id: 't1' })] })
    const app = served(lake)
    const etag = (await app.request(`${PUBLIC_URL}${PATH}`, { method: 'HEAD' })).headers.get('etag')
    await lake.add({ trajectories: [trajectory({ trajectory_id: 't2' })] }, '0:9')
    expect((await get(app, PATH, { range: 'bytes=0-3' })).headers.get('etag')).toBe(etag)
    expect((await get(app, `${PATH}?after=0:9`, { range: 'bytes=0-3' })).headers.get('etag')).not.toBe(etag)
    expect((await get(app, PATH)).headers.get('etag')).not.toBe(etag)
  })

  it('waits for the state that is asked for', async () => {
    await lake.close()
    const cut = () => lake.add({ trajectories: [trajectory({ trajectory_id: 't1' })] }, '0:9,1:4')
    lake = await smallLake({ reach: async () => ({ snapshot_id: await cut() }) })
    const response = await get(served(lake), `${PATH}?after=0:9&after=1:4`)
    expect([response.status, response.headers.get('stepstore-rows')]).toEqual([200, '1'])
  })

  it('before there is any snapshot is 503 with Retry-After', async () => {
    const response = await get(served(lake), PATH)
    expect([response.status, response.headers.get('retry-after'), (await json(response))['code']]).toEqual([
      503,
      '1',
      'behind',
    ])
  })
})

describe('a build that takes long', () => {
  let lake: SmallLake
  let release: () => void
  let started = 0

  beforeEach(async () => {
    started = 0
    const gate = new Promise<void>((resolve) => (release = resolve))
    const plain = await smallLake()
    const runCopy: RunCopy = async (job, options) => {
      started += 1
      options.onProgress?.(0.5)
      await Promise.race([
        gate,
        new Promise((_, reject) => options.signal.addEventListener('abort', () => reject(new Error('stopped')))),
      ])
      return plain.runCopy(job, options)
    }
    lake = await smallLake({ runCopy, runningMax: 1, waitingMax: 1 })
    await lake.add({ trajectories: [trajectory({ trajectory_id: 't1' })] })
    await plain.add({})
    toClose = plain
  })
  let toClose: SmallLake
  afterEach(async () => {
    release()
    await lake.close()
    await toClose.close()
  })

  it('is 503 with a URL that tells its progress, is shared by all who ask, and is what they find when they come back', async () => {
    const app = served(lake, { buildWaitMs: 20, pinWaitMs: 20 })
    const [first, second] = await Promise.all([get(app, PATH), get(app, PATH)])
    const body = await json(first)
    expect([first.status, second.status, body['code'], first.headers.get('retry-after')]).toEqual([
      503,
      503,
      'building',
      '5',
    ])
    const build = String(body['build']).slice(PUBLIC_URL.length)
    await expect.poll(async () => json(await get(app, build))).toMatchObject({ state: 'running', progress: 0.5 })
    const pin = await get(app, `${PATH}/pin`)
    expect([pin.status, await json(pin)]).toEqual([
      202,
      { build: body['build'], snapshot: 1, pin: `${PUBLIC_URL}${PATH}/pin?snapshot=1` },
    ])
    await lake.add({ trajectories: [trajectory({ trajectory_id: 't2' })] })
    release()
    const patient = served(lake)
    const answer = await get(patient, PATH)
    expect([answer.status, answer.headers.get('stepstore-snapshot'), started]).toEqual([200, '1', 1])
    expect(await json(await get(app, build))).toMatchObject({
      state: 'done',
      progress: 1,
      url: `${PUBLIC_URL}${PATH}?snapshot=1`,
    })
    expect((await get(patient, PATH)).headers.get('stepstore-snapshot')).toBe('2')
  })

  it('can be cancelled, and asked for again', async () => {
    const app = served(lake, { buildWaitMs: 20 })
    const build = String((await json(await get(app, `${PATH}?snapshot=1`)))['build'])
    expect((await app.request(build, { method: 'DELETE' })).status).toBe(202)
    await expect.poll(async () => (await json(await app.request(build)))['state']).toBe('cancelled')
    release()
    expect((await get(served(lake), `${PATH}?snapshot=1`)).status).toBe(200)
    expect((await app.request(build, { method: 'DELETE' })).status).toBe(409)
  })

  it('is 429 when too many wait', async () => {
    const app = served(lake, { buildWaitMs: 5 })
    const statuses = []
    for (const run of ['a', 'b', 'c']) statuses.push((await get(app, `${PATH}?run=${run}`)).status)
    expect(statuses).toEqual([503, 503, 429])
  })
})
