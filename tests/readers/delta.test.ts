/** The lake as Delta tables: engines that know nothing of Stepstore read it, while it grows and after it was compacted. */
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { LAKE_TABLE_NAMES, LAKE_TABLES, type LakeTableName } from '#schemas/lake.ts'
import { pythonWith } from '#tests/support/python.ts'
import { newWorld, runCommand, type ServerProcess, startServer, type World } from '#tests/support/server-process.ts'
import { readWith } from './reader.ts'
import { sparkJars, sparkPython } from './spark.ts'

interface Answer {
  readonly reader: string
  readonly table: LakeTableName
  readonly rows: number
  readonly keys: number
  readonly sum: number
}
interface Answers {
  readonly answers: readonly Answer[]
  readonly versions: readonly {
    readonly table: LakeTableName
    readonly version: number
    readonly rows: number
    readonly keys: number
  }[]
}

const READERS = ['delta-rs', 'Polars', 'DuckDB', 'ClickHouse']
/** Of each table the key, and a column to add up. */
const TABLES = Object.fromEntries(
  LAKE_TABLE_NAMES.map((table) => {
    const { key, columns } = LAKE_TABLES[table]
    const total = Object.hasOwn(columns, 'n_tool_calls')
      ? 'n_tool_calls'
      : Object.hasOwn(columns, 'offset')
        ? 'offset'
        : 'first_offset'
    return [table, [key, total]]
  }),
)
const BATCHES = 6
const PER_BATCH = 20

let world: World
let server: ServerProcess | undefined
let python: string
let root: string

beforeAll(async () => {
  python = await pythonWith(join(import.meta.dirname, 'requirements-delta.txt'))
  world = await newWorld()
  cpSync(inject('readers').dataDir, world.dataDir, { recursive: true })
  root = join(world.dataDir, 'blobs', 'lake')
  server = startServer(world)
  await server.ready()
})
afterAll(async () => {
  await server?.sigterm()
})

async function json<Value>(path: string): Promise<Value> {
  const answer = await fetch(`${world.url}${path}`)
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
  return (await answer.json()) as Value
}

/** Sends some rollouts and waits for the snapshot that has them. */
async function grow(batch: number): Promise<number> {
  const events = Array.from({ length: PER_BATCH }, (_, index) => {
    const id = `growing/${batch}/${index}`
    const step = (step_index: number) => ({
      type: 'step.recorded',
      data: {
        trajectory_id: id,
        step_index,
        run_id: 'growing',
        action_kind: 'tool_call',
        tool_calls: [{ id: 'c', name: 'ocr', arguments: {} }],
      },
    })
    const finish = {
      type: 'trajectory.finished',
      data: { trajectory_id: id, status: 'completed', end_reason: 'answer', n_steps: 3, reward: 1 },
    }
    // A note on one of the batch before has its file written again.
    const late = {
      type: 'trajectory.annotated',
      data: { trajectory_id: `growing/${batch - 1}/${index}`, annotation_id: `n${batch}`, codes: ['E1'] },
    }
    return [step(0), step(1), step(2), finish, ...(index === 0 && batch > 0 ? [late] : [])]
  }).flat()
  const lines = events
    .map((event, index) => JSON.stringify({ specversion: '1.0', id: `${batch} ${index}`, source: '/tests', ...event }))
    .join('\n')
  const sent = await fetch(`${world.url}/v1/events?strict=true`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines,
  })
  if (!sent.ok) throw new Error(await sent.text())
  const { rows } = await json<{ rows: { snapshot_id: number }[] }>('/v1/snapshots?limit=1&after=latest&wait=60')
  return rows[0]?.snapshot_id ?? 0
}

function commitOf(table: LakeTableName, version: number): string | undefined {
  const path = join(root, table, '_delta_log', `${String(version).padStart(20, '0')}.json`)
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

/** The snapshot of each version of a table. */
function snapshotsOf(table: LakeTableName): number[] {
  const snapshots: number[] = []
  for (let text = commitOf(table, 0); text !== undefined; text = commitOf(table, snapshots.length)) {
    const line = text.split('\n').find((action) => action.startsWith('{"txn"')) ?? '{}'
    snapshots.push((JSON.parse(line) as { txn: { version: number } }).txn.version)
  }
  return snapshots
}

/** Waits until the Delta log of steps has come to a snapshot. */
async function published(snapshot: number): Promise<void> {
  const until = Date.now() + 60_000
  while ((snapshotsOf('steps').at(-1) ?? 0) < snapshot) {
    if (Date.now() > until) throw new Error(`snapshot ${snapshot} is not in the Delta log`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** What the API says that a snapshot holds of a table. */
async function rowsAt(table: LakeTableName, snapshot: number): Promise<number> {
  const { rows } = await json<{ rows: { rows: number }[] }>(`/v1/lake/${table}/files?snapshot=${snapshot}&limit=1000`)
  return rows.reduce((sum, file) => sum + file.rows, 0)
}

interface Expected {
  readonly trajectories: number
  readonly steps: number
  readonly tool_calls: number
}

async function expected(): Promise<Expected> {
  const { rows } = await json<{ rows: { n_finished: number; n_steps: number; n_tool_calls: number }[] }>(
    '/v1/runs?limit=1000&after=latest',
  )
  const sum = (pick: (row: (typeof rows)[number]) => number): number => rows.reduce((all, row) => all + pick(row), 0)
  return {
    trajectories: sum((row) => row.n_finished),
    steps: sum((row) => row.n_steps),
    tool_calls: sum((row) => row.n_tool_calls),
  }
}

function expectAgreed(
  { answers }: Answers,
  { trajectories, steps, tool_calls }: Expected,
  readers: readonly string[],
): void {
  for (const answer of answers) expect(answer).toMatchObject({ keys: answer.rows })
  for (const reader of readers) {
    const found = new Map(answers.filter((answer) => answer.reader === reader).map((answer) => [answer.table, answer]))
    expect([...found.keys()].sort()).toEqual([...LAKE_TABLE_NAMES].sort())
    expect(found.get('trajectories'), reader).toMatchObject({ rows: trajectories, sum: tool_calls })
    expect(found.get('steps'), reader).toMatchObject({ rows: steps, sum: tool_calls })
    expect(found.get('tool_calls'), reader).toMatchObject({ rows: tool_calls })
  }
  // What the API does not count, all readers count alike.
  const alike = new Set(
    answers.filter(({ reader }) => reader === readers[0]).map(({ table, rows, sum }) => `${table} ${rows} ${sum}`),
  )
  for (const { table, rows, sum } of answers) expect(alike).toContain(`${table} ${rows} ${sum}`)
}

describe('the lake as Delta tables', () => {
  it('is read while it grows: one row a key, and the rows of the snapshot at every version', async () => {
    const growing = (async (): Promise<void> => {
      let last = 0
      for (let batch = 0; batch < BATCHES; batch++) last = await grow(batch)
      await published(last)
    })()
    const reading = readWith<Answers>('read-delta.py', { root, tables: TABLES, readers: READERS, versions: [] }, python)
    const [during] = await Promise.all([reading, growing])
    for (const answer of during.answers) expect(answer).toMatchObject({ keys: answer.rows })
    const after = await readWith<Answers>(
      'read-delta.py',
      { root, tables: TABLES, readers: READERS, versions: ['steps', 'trajectories'] },
      python,
    )
    expectAgreed(after, await expected(), READERS)
    for (const { table, version, rows, keys } of after.versions) {
      expect(keys).toBe(rows)
      expect({ table, version, rows }).toEqual({
        table,
        version,
        rows: await rowsAt(table, snapshotsOf(table)[version] ?? 0),
      })
    }
    expect(after.versions.filter(({ table }) => table === 'trajectories').length).toBeGreaterThanOrEqual(BATCHES)
  })

  it('is read alike after it was compacted, with no Stepstore running', { timeout: 900_000 }, async () => {
    const counts = await expected()
    await server?.sigterm()
    server = undefined
    const { code, stdout, stderr } = await runCommand(world, ['compact', '--all', '--json'])
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const { merged } = JSON.parse(stdout) as { merged: { table: string; snapshot_id: number | null }[] }
    expect(new Set(merged.map(({ table }) => table))).toEqual(
      new Set([...merged.map(({ table }) => table), 'events', 'steps', 'trajectories', 'tool_calls']),
    )
    const answers = await readWith<Answers>(
      'read-delta.py',
      { root, tables: TABLES, readers: READERS, versions: ['steps'] },
      python,
    )
    expectAgreed(answers, counts, READERS)
    // A merge is a version of its own, with the rows of the one before.
    const [before, after] = answers.versions.slice(-2)
    expect(after?.rows).toBe(before?.rows)
    const spark = await readWith<Answers>(
      'read-spark.py',
      { root, tables: TABLES, jars: await sparkJars() },
      await sparkPython(),
      550_000,
    )
    expectAgreed(spark, counts, ['Spark'])
  })
})
