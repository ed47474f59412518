/** Compares what a client sent with what log, store, lake and API hold of it: once each, and nothing else. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { expect } from 'vitest'
import { directoryBlobs } from '#services/blobs/directory.ts'
import { lmdbLogReader } from '#services/log/lmdb-reader.ts'
import type { LogRecord } from '#services/log/log.ts'
import { silent } from '#services/logger.ts'
import { pgliteStore } from '#services/store/pglite.ts'
import type { World } from './server-process.ts'
import type { Traffic } from './traffic.ts'

type Fields = Record<string, unknown>

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** The JSON of a route. Throws with what the server said where it is no 200. */
export async function getJson(world: World, path: string): Promise<Fields> {
  const answer = await fetch(`${world.url}${path}`)
  const text = await answer.text()
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${text.slice(0, 500)}`)
  return JSON.parse(text) as Fields
}

/** Every row of a list. */
export async function allRows(world: World, path: string): Promise<Fields[]> {
  const rows: Fields[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const more: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page = await getJson(world, `${path}${path.includes('?') ? '&' : '?'}limit=1000${more}`)
    rows.push(...(page['rows'] as Fields[]))
    cursor = page['next'] as string | null
  }
  return rows
}

/** The API against what was sent: every trajectory, dense steps, every text. */
export async function checkApi(world: World, traffic: Traffic, runId: string): Promise<void> {
  const rows = await allRows(world, `/v1/trajectories?run=${runId}&after=latest&wait=60`)
  const ids = rows.map((row) => String(row['trajectory_id']))
  expect(ids).toEqual([...traffic.rollouts.keys()].sort())
  for (const row of rows) {
    const sent = traffic.rollouts.get(String(row['trajectory_id']))
    expect({
      n_steps: row['n_steps'],
      n_steps_seen: row['n_steps_seen'],
      reward: row['reward'],
      n_conflicts: row['n_conflicts'],
    }).toEqual({ n_steps: sent?.texts.length, n_steps_seen: sent?.texts.length, reward: sent?.reward, n_conflicts: 0 })
  }
  const waiting = [...traffic.rollouts.values()].values()
  const reader = async (): Promise<void> => {
    for (const sent of waiting) {
      const whole = await getJson(world, `/v1/trajectories/${encodeURIComponent(sent.trajectoryId)}`)
      const steps = (whole['steps'] as Fields[]).map((step) => [step['step_index'], step['raw_output']])
      expect(steps).toEqual(sent.texts.map((text, index) => [index, text]))
    }
  }
  await Promise.all([reader(), reader(), reader(), reader()])
  for (const [imageId, bytes] of traffic.images) {
    const answer = await fetch(`${world.url}/v1/images/${imageId}`)
    expect({ status: answer.status, hash: hashOf(await answer.bytes()) }).toEqual({ status: 200, hash: hashOf(bytes) })
  }
}

/** The lake's files at the newest snapshot against what was sent. Answers how often each record's bytes are in its events. */
export async function checkLake(world: World, traffic: Traffic): Promise<Map<string, number>> {
  await getJson(world, '/v1/snapshots?after=latest&wait=60')
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  const query = async (table: string, statement: (from: string) => string): Promise<unknown[][]> => {
    const files = await allRows(world, `/v1/lake/${table}/files`)
    const paths = files.map((file) => `'${join(world.dataDir, 'blobs', String(file['path']))}'`)
    return (
      await connection.runAndReadAll(statement(`read_parquet([${paths.join(', ')}], union_by_name = true)`))
    ).getRowsJS() as unknown[][]
  }
  try {
    const steps = await query(
      'steps',
      (from) =>
        `select trajectory_id, count(*)::int, count(distinct step_index)::int, max(step_index)::int from ${from} group by 1 order by 1`,
    )
    const sent = [...traffic.rollouts.values()].sort((left, right) => (left.trajectoryId < right.trajectoryId ? -1 : 1))
    expect(steps).toEqual(
      sent.map(({ trajectoryId, texts }) => [trajectoryId, texts.length, texts.length, texts.length - 1]),
    )
    const whole = await query('trajectories', (from) => `select trajectory_id, n_steps::int from ${from} order by 1`)
    expect(whole).toEqual(sent.map(({ trajectoryId, texts }) => [trajectoryId, texts.length]))
    const [calls] = await query('tool_calls', (from) => `select count(*)::int from ${from}`)
    expect(calls?.[0]).toBe(sent.reduce((sum, { toolCalls }) => sum + toolCalls, 0))
    const raw = await query(
      'events',
      (from) =>
        `select sha256(raw), count(*)::int, count(distinct ("partition", "offset"))::int from ${from} group by 1`,
    )
    expect(raw.filter(([, rows, places]) => rows !== places)).toEqual([])
    return new Map(raw.map(([hash, rows]) => [String(hash), Number(rows)]))
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

async function recordsOf(folder: string): Promise<LogRecord[]> {
  const log = await lmdbLogReader({ folder })
  try {
    const records: LogRecord[] = []
    for (const [partition, { start, end }] of (await log.bounds()).entries()) {
      for (let next = start; next < end;) {
        const some = await log.read(partition, next, { recordsMax: 5000, bytesMax: 2 ** 26 })
        expect(some.map(({ offset }) => offset)).toEqual(some.map((_, index) => next + index))
        records.push(
          ...some.map((record) => ({ ...record, value: record.value === null ? null : Buffer.from(record.value) })),
        )
        next += some.length
      }
    }
    return records
  } finally {
    await log.close()
  }
}

/** How often each event may be in the log: at least as often as it was acknowledged, at most as often as it was sent. */
function expectedCounts(traffic: Traffic): Map<string, { acks: number; attempts: number }> {
  const counts = new Map<string, { acks: number; attempts: number }>()
  for (const { events, acks, attempts } of traffic.sendings) {
    for (const { bytes } of events) {
      const hash = hashOf(bytes)
      const count = counts.get(hash) ?? { acks: 0, attempts: 0 }
      counts.set(hash, { acks: count.acks + acks, attempts: count.attempts + attempts })
    }
  }
  return counts
}

/** What lies in the data folder, with no server running, against what was sent and what the lake held. */
export async function checkFiles(
  world: World,
  traffic: Traffic,
  lake: ReadonlyMap<string, number>,
): Promise<{ duplicates: number }> {
  const records = await recordsOf(join(world.dataDir, 'log'))
  const held = new Map<string, LogRecord[]>()
  for (const record of records) {
    const hash = hashOf(record.value ?? new Uint8Array())
    held.set(hash, [...(held.get(hash) ?? []), record])
  }
  const expected = expectedCounts(traffic)
  const wrong = [...expected].filter(([hash, { acks, attempts }]) => {
    const times = held.get(hash)?.length ?? 0
    return times < Math.max(1, acks) || times > attempts
  })
  expect(wrong).toEqual([])
  const own = [...held].filter(([hash]) => !expected.has(hash)).flatMap(([, some]) => some)
  // What ingest itself wrote: that a picture is stored, and nothing else.
  expect(new Set(own.map(({ key }) => key))).toEqual(new Set(traffic.images.keys()))
  expect(new Map([...held].map(([hash, some]) => [hash, some.length]))).toEqual(lake)
  const duplicates = [...held.values()].reduce((sum, some) => sum + some.length - 1, 0)
  await checkStore(world, held, traffic, duplicates)
  const blobs = await directoryBlobs({ folder: join(world.dataDir, 'blobs') })
  for (const [imageId, bytes] of traffic.images)
    expect(await blobs.get(`images/${imageId.slice(0, 2)}/${imageId}`).then((found) => found && hashOf(found))).toBe(
      hashOf(bytes),
    )
  await blobs.close()
  return { duplicates }
}

async function checkStore(
  world: World,
  held: ReadonlyMap<string, readonly LogRecord[]>,
  traffic: Traffic,
  duplicates: number,
): Promise<void> {
  const store = await pgliteStore({
    folder: join(world.dataDir, 'store'),
    clock: () => new Date(),
    logger: silent,
    onDoubt: (reason) => expect.unreachable(reason),
  })
  try {
    const steps = await store.db
      .selectFrom('steps')
      .select(['trajectory_id', 'step_index', 'offset'])
      .orderBy('trajectory_id')
      .orderBy('step_index')
      .execute()
    const firsts = [...traffic.rollouts.values()].flatMap(({ trajectoryId, events, texts }) =>
      texts.map((_, index) => ({
        trajectory_id: trajectoryId,
        step_index: index,
        offset: held.get(hashOf(events[index + 1]?.bytes ?? Buffer.alloc(0)))?.[0]?.offset,
      })),
    )
    expect(steps).toEqual(
      firsts.sort((left, right) =>
        left.trajectory_id === right.trajectory_id
          ? left.step_index - right.step_index
          : left.trajectory_id < right.trajectory_id
            ? -1
            : 1,
      ),
    )
    const verdicts = await store.db
      .selectFrom('verdicts')
      .select(['partition', 'offset', 'verdict'])
      .orderBy('partition')
      .orderBy('offset')
      .execute()
    const later = [...held.values()]
      .flatMap((some) => some.slice(1))
      .map(({ partition, offset }) => ({ partition, offset, verdict: 'duplicate' }))
    expect(verdicts).toEqual(
      later.sort((left, right) => left.partition - right.partition || left.offset - right.offset),
    )
    expect(verdicts).toHaveLength(duplicates)
    const images = await store.db
      .selectFrom('images')
      .select('image_id')
      .where('stored', '=', true)
      .orderBy('image_id')
      .execute()
    expect(images.map(({ image_id }) => image_id)).toEqual([...traffic.images.keys()].sort())
  } finally {
    await store.close()
  }
}
