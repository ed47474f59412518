import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rollout } from './rollouts.ts'
import { type World, queryWorld } from './world.ts'

let world: World

const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.from('the rest of a picture')])
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

beforeAll(async () => {
  world = await queryWorld()
})

afterAll(async () => {
  await world.close()
})

describe('gaps', () => {
  const gaps = async (query: string) => (await world.get(`/v1/gaps${query}`)).body.rows

  beforeAll(async () => {
    await world.send(
      ...rollout({ id: 'whole', run: 'g', reward: 1, time: '2026-01-01T23:59:00Z' }),
      ...rollout({ id: 'idle', run: 'g', finished: false, time: '2026-01-01T00:00:00Z' }),
      ...rollout({ id: 'busy', run: 'g', finished: false, time: '2026-01-01T23:59:00Z' }),
      [
        'step.recorded',
        { trajectory_id: 'holes', run_id: 'g', step_index: 2, action_kind: 'message', images: ['d'.repeat(64)] },
        '2026-01-01T23:59:00Z',
      ],
      [
        'trajectory.finished',
        { trajectory_id: 'holes', status: 'completed', end_reason: 'answer', n_steps: 4 },
        '2026-01-01T23:59:00Z',
      ],
      [
        'step.recorded',
        { trajectory_id: 'holes', run_id: 'g', step_index: 0, action_kind: 'message' },
        '2026-01-01T23:59:00Z',
      ],
      [
        'step.recorded',
        { trajectory_id: 'whole', run_id: 'g', step_index: 0, action_kind: 'message' },
        '2026-01-01T23:59:00Z',
      ],
      ...rollout({ id: 'alone', run: 'g', group: 'pair', size: 2, reward: 1, time: '2026-01-01T23:59:00Z' }),
    )
  })

  test('missing steps are named', async () => {
    expect(await gaps('?run=g&kind=missing_steps')).toMatchObject([
      { kind: 'missing_steps', trajectory_id: 'holes', count: 2, step_indexes: [1, 3] },
    ])
  })

  test('conflicts tell which record and why', async () => {
    expect(await gaps('?run=g&kind=conflict')).toMatchObject([
      { kind: 'conflict', trajectory_id: 'whole', run_id: 'g' },
    ])
  })

  test('unfinished ones have been idle; how long is asked at read', async () => {
    const names = async (query: string) =>
      (await gaps(`?run=g&kind=unfinished${query}`)).map((row: { trajectory_id: string }) => row.trajectory_id)
    expect(await names('')).toEqual(['idle'])
    expect(await names('&idle_ms=1000')).toEqual(['busy', 'idle'])
  })

  test('incomplete groups, missing images and late steps', async () => {
    expect(await gaps('?run=g&kind=incomplete_group')).toMatchObject([{ group_id: 'pair', count: 1 }])
    expect(await gaps('?run=g&kind=missing_image')).toMatchObject([
      { image_id: 'd'.repeat(64), trajectory_id: 'holes', count: 1 },
    ])
    expect(await gaps('?run=g&kind=late')).toMatchObject([{ trajectory_id: 'holes', count: 1 }])
  })

  test('pages go through all kinds and give every gap once', async () => {
    const all = await gaps('?run=g&limit=1000')
    const seen: unknown[] = []
    for (let cursor = ''; ;) {
      const { body } = await world.get(`/v1/gaps?run=g&limit=1${cursor}`)
      seen.push(...body.rows)
      if (body.next === null) break
      cursor = `&cursor=${body.next}`
    }
    expect(seen).toEqual(all)
    expect(all).toHaveLength(6)
  })
})

describe('quarantine', () => {
  const broken = Buffer.from('{"specversion": "1.0", half a line')

  test('shows what could not be read, raw', async () => {
    await world.log.append([{ key: sha256(broken), value: broken }])
    const { body } = await world.get('/v1/quarantine?after=latest')
    expect(body.rows).toMatchObject([
      { quarantine_id: sha256(broken), state: 'open', code: 'malformed_json', n_seen: 1 },
    ])
    const one = await world.get(`/v1/quarantine/${sha256(broken)}`)
    expect(one.body).toMatchObject({ encoding: 'utf8', raw: broken.toString(), bytes: broken.length })
  })

  test('shows bytes that are no text as base64', async () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x00])
    await world.log.append([{ key: sha256(bytes), value: bytes }])
    const { body } = await world.get(`/v1/quarantine/${sha256(bytes)}?after=latest`)
    expect([body.encoding, Buffer.from(body.raw, 'base64')]).toEqual(['base64', bytes])
  })

  test('a retry of what is still unreadable says why', async () => {
    const { status, body } = await world.get(`/v1/quarantine/${sha256(broken)}/retry`, { method: 'POST' })
    expect([status, body.code, body.reason]).toEqual([422, 'unreadable', 'malformed_json'])
  })

  test('a dropped one leaves the list, and dropping again changes nothing', async () => {
    const dropped = await world.get(`/v1/quarantine/${sha256(broken)}`, { method: 'DELETE' })
    expect(dropped.body).toMatchObject({ state: 'dropped' })
    const { body } = await world.get(`/v1/quarantine?after=${dropped.body.position}`)
    expect(body.rows.map((row: { quarantine_id: string }) => row.quarantine_id)).not.toContain(sha256(broken))
    expect((await world.get(`/v1/quarantine/${sha256(broken)}`, { method: 'DELETE' })).status).toBe(200)
    expect((await world.get('/v1/quarantine?state=dropped')).body.rows).toHaveLength(1)
  })

  test('a retry of what can be read now appends it again, and its fact counts', async () => {
    const readable = Buffer.from(
      JSON.stringify({
        specversion: '1.0',
        id: '1',
        source: '/t',
        type: 'run.started',
        data: { run_id: 'rescued', kind: 'rl' },
      }),
    )
    const id = sha256(readable)
    // As an older version left it, which could not read the record: the row is there, and the fact is not.
    const appended = await world.log.append([{ key: id, value: broken }])
    await world.project.waitFor(appended, 5000)
    const [partition = 0, end = 0] = [...appended][0] ?? []
    const log = world.log
    const readOne = log.readOne.bind(log)
    log.readOne = async (at, offset) => {
      const record = await readOne(at, offset)
      return record !== undefined && at === partition && offset === end - 1 ? { ...record, value: readable } : record
    }
    await world.store.db
      .insertInto('quarantine')
      .values({
        quarantine_id: id,
        partition,
        offset: end - 1,
        last_offset: end - 1,
        n_seen: 1,
        bytes: readable.length,
        code: 'unknown_type',
        message: 'm',
        pointer: '',
        hint: 'h',
        state: 'open',
        seen_at: '2026-01-01T00:00:00.000000Z',
      })
      .execute()
    const retried = await world.get(`/v1/quarantine/${id}/retry`, { method: 'POST' })
    log.readOne = readOne
    expect(retried.body).toMatchObject({ state: 'retried' })
    expect((await world.get(`/v1/runs/rescued?after=${retried.body.position}`)).body.state).toBe('running')
    expect((await world.get(`/v1/quarantine/${id}`)).body.state).toBe('retried')
  })

  test('what is not there is 404', async () => {
    expect((await world.get('/v1/quarantine/none')).status).toBe(404)
  })
})

describe('ids of quarantined records', () => {
  test('are found by how they begin', async () => {
    const bytes = Buffer.from('{"no": "event"')
    await world.log.append([{ key: sha256(bytes), value: bytes }])
    const { body } = await world.get(`/v1/quarantine?after=latest&state=all&id_prefix=${sha256(bytes).slice(0, 10)}`)
    expect(body.rows.map((row: { quarantine_id: string }) => row.quarantine_id)).toEqual([sha256(bytes)])
    expect((await world.get('/v1/quarantine?id_prefix=%25')).status).toBe(400)
  })
})

describe('images', () => {
  const id = sha256(PNG)

  beforeAll(async () => {
    await world.blobs.put(`images/${id.slice(0, 2)}/${id}`, PNG)
  })

  test('are served with their type, for ever', async () => {
    const response = await world.request(`/v1/images/${id}`)
    expect(Buffer.from(await response.arrayBuffer())).toEqual(PNG)
    expect([
      response.headers.get('content-type'),
      response.headers.get('etag'),
      response.headers.get('content-length'),
    ]).toEqual(['image/png', `"${id}"`, String(PNG.length)])
    expect(response.headers.get('cache-control')).toContain('immutable')
  })

  test('answer HEAD, ranges and validators', async () => {
    const head = await world.request(`/v1/images/${id}`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(PNG.length)])
    const range = await world.request(`/v1/images/${id}`, { headers: { range: 'bytes=0-3' } })
    expect([range.status, range.headers.get('content-range'), Buffer.from(await range.arrayBuffer())]).toEqual([
      206,
      `bytes 0-3/${PNG.length}`,
      PNG.subarray(0, 4),
    ])
    const past = await world.request(`/v1/images/${id}`, { headers: { range: 'bytes=999-' } })
    expect([past.status, past.headers.get('content-range')]).toEqual([416, `bytes */${PNG.length}`])
    expect((await world.request(`/v1/images/${id}`, { headers: { 'if-none-match': `"${id}"` } })).status).toBe(304)
  })

  test.each(['e'.repeat(64), 'not-a-hash', '..%2f..%2fetc'])('%s is 404', async (name) => {
    expect((await world.get(`/v1/images/${name}`)).status).toBe(404)
  })
})

describe('the lake', () => {
  const file = Buffer.from('PAR1 rows PAR1')
  const path = 'lake/steps/dt=2026-01-01/0-9-abc.parquet'

  beforeAll(async () => {
    await world.blobs.put(path, file)
    const snapshot = (id: number, published: boolean) => ({
      snapshot_id: id,
      created_at: '2026-01-01T00:00:00.000000Z',
      log_id: world.log.id,
      cut: `0:${id}`,
      published,
    })
    await world.store.db
      .insertInto('snapshots')
      .values([snapshot(1, true), snapshot(2, true), snapshot(3, false)])
      .execute()
    const row = {
      path,
      table_name: 'steps',
      dt: '2026-01-01',
      begin_snapshot: 1,
      end_snapshot: 2,
      rows: 9,
      bytes: file.length,
      sha256: sha256(file),
      from_offsets: '',
      to_offsets: '0:1',
      stats: JSON.stringify({}),
    }
    await world.store.db
      .insertInto('data_files')
      .values([row, { ...row, path: `${path}2`, begin_snapshot: 2, end_snapshot: null }])
      .execute()
  })

  test('lists published snapshots alone, newest first', async () => {
    expect((await world.get('/v1/snapshots')).body.rows.map((row: { snapshot_id: number }) => row.snapshot_id)).toEqual(
      [2, 1],
    )
  })

  test('lists the files of a table at a snapshot, with URLs that can be read', async () => {
    const newest = await world.get('/v1/lake/steps/files')
    expect(newest.body).toMatchObject({ snapshot: 2, rows: [{ path: `${path}2` }] })
    const { body } = await world.get('/v1/lake/steps/files?snapshot=1')
    expect(body.rows).toMatchObject([{ path, rows: 9, bytes: file.length, sha256: sha256(file) }])
    const response = await world.request(new URL(body.rows[0].url).pathname)
    expect(Buffer.from(await response.arrayBuffer())).toEqual(file)
  })

  test.each(['/v1/lake/step/files', '/v1/lake/steps/files?snapshot=3', '/v1/lake/steps/dt=2026-01-01/other.parquet'])(
    '%s is 404',
    async (asked) => {
      expect((await world.get(asked)).status).toBe(404)
    },
  )

  test('a position that no snapshot includes yet is behind', async () => {
    expect((await world.get('/v1/snapshots?after=latest&wait=0')).body.code).toBe('behind')
  })
})

describe('about itself', () => {
  test('it is healthy, ready, and counts what was asked', async () => {
    expect((await world.get('/healthz')).body).toEqual({ status: 'ok' })
    expect((await world.get('/readyz')).body).toEqual({
      ready: true,
      reasons: [],
      lag: { folding: 0, archiving: expect.any(Number) as unknown },
    })
    const { body } = await world.get('/metrics')
    expect(body).toContain('stepstore_requests_total{method="GET",route="/readyz",status="200"} 1')
    expect(body).toMatch(/stepstore_records_total\{partition="\d",verdict="accepted"\} \d+/)
  })

  test('the OpenAPI document has every route, and every reference in it leads somewhere', async () => {
    const { body } = await world.get('/openapi.json')
    expect(body.openapi).toBe('3.1.0')
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining(['/v1/events', '/v1/trajectories/{trajectory_id}', '/v1/datasets/{name}', '/v1/gaps']),
    )
    const names = new Set(Object.keys(body.components.schemas))
    const references = [...JSON.stringify(body).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(
      (match) => match[1] ?? '',
    )
    expect(references.filter((name) => !names.has(name))).toEqual([])
    const ids = Object.values<Record<string, { operationId: string }>>(body.paths).flatMap((methods) =>
      Object.values(methods).map((operation) => operation.operationId),
    )
    expect(new Set(ids).size).toBe(ids.length)
    expect(body.components.schemas['step.recorded'].properties.step_index.description).toContain('dense from 0')
  })

  test('the reference page needs nothing from elsewhere', async () => {
    const { body, headers } = await world.get('/docs')
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(body).toContain('/v1/trajectories/<i>{trajectory_id}</i>')
    expect(body).toContain('step.recorded')
    expect(body).not.toMatch(/<script|<link|src=|@import|url\(/)
    const anchors = new Set([...body.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]))
    const links = [...body.matchAll(/href="#([^"]+)"/g)].map((match) => match[1])
    expect(links.filter((link) => !anchors.has(link))).toEqual([])
  })
})
