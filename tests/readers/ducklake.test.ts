/** The frozen DuckLake, attached by DuckDB 1.5 and 1.4 over plain HTTP: everything of every snapshot, and never other bytes. */
import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { LAKE_TABLE_NAMES, LAKE_TABLES } from '#schemas/lake.ts'
import { get, getJson, readWith } from './reader.ts'

const { open, keyed, snapshots, python, runs } = inject('readers')
const last = snapshots.at(-1) ?? 0

interface Attached {
  readonly duckdb: string
  readonly tables: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly wrong: readonly unknown[]
  readonly answers: Readonly<Record<string, readonly (readonly unknown[])[]>>
  readonly comments: Readonly<Record<string, string>>
}

interface Files {
  readonly rows: readonly { readonly rows: number }[]
}

/** Rows of every table at every snapshot, as the lists of files say. */
async function listed(): Promise<Attached['tables']> {
  const tables = LAKE_TABLE_NAMES.map(async (table) => {
    const counts = snapshots.map(async (snapshot) => {
      const { rows } = await getJson<Files>(open, `/v1/lake/${table}/files?snapshot=${snapshot}&limit=1000`)
      return [String(snapshot), rows.reduce((sum, file) => sum + file.rows, 0)] as const
    })
    return [table, Object.fromEntries(await Promise.all(counts))] as const
  })
  return Object.fromEntries(await Promise.all(tables))
}

const queries = {
  nested: `select count(*), count(observation[1].content), sum(len(tool_calls)) from s.steps where run_id = '${runs.played}'`,
  changed: `select count(*) from s.scores where reward_version = 'late'`,
  before: `select count(*) from s.scores at (version => ${snapshots.at(-2)}) where reward_version = 'late'`,
  snapshots: 'select count(*), max(snapshot_id) from s.snapshots()',
}

describe.each([
  ['DuckDB 1.5', /^1\.5\./, python.current, ''],
  ['DuckDB 1.4', /^1\.4\./, python.duckdb14, '?catalog=0.3'],
])('%s', (_, version, interpreter, query) => {
  it.each([
    ['open', open],
    ['with a key', keyed],
  ])('attaches it in one line, with time travel, and filters find what is there (%s)', async (_name, served) => {
    const url = `${served.url}/v1/lake/${last}.ducklake${query}`
    const input = { url, key: served.key ?? null, versions: snapshots, compared: ['scores', 'trajectories'], queries }
    const attached = await readWith<Attached>('attach-ducklake.py', input, interpreter)
    expect(attached.duckdb).toMatch(version)
    expect(attached.tables).toEqual(await listed())
    expect(attached.wrong).toEqual([])
    expect(attached.comments['steps']).toBe(LAKE_TABLES.steps.meaning)
    const { nested, changed, before, snapshots: known } = attached.answers
    expect([changed, before, known]).toEqual([[[5]], [[0]], [[last, last]]])
    expect(nested?.[0]?.every((value) => Number(value) > 0)).toBe(true)
  })
})

describe('its bytes', () => {
  let first: Buffer
  const bytes = async (path: string): Promise<Buffer> => Buffer.from(await (await get(open, path)).arrayBuffer())

  beforeAll(async () => {
    first = await bytes(`/v1/lake/${last}.ducklake`)
  })

  it('are those of their ETag, and the newest is the same with its own URL', async () => {
    const answer = await get(open, '/v1/lake.ducklake')
    expect(answer.headers.get('content-location')).toBe(`${open.url}/v1/lake/${last}.ducklake`)
    expect(answer.headers.get('etag')).toBe(`"${createHash('sha256').update(first).digest('hex')}"`)
    expect(Buffer.from(await answer.arrayBuffer()).equals(first)).toBe(true)
  })

  it('differ between the versions of the format and between snapshots, and name no key', async () => {
    const others = [`/v1/lake/${last}.ducklake?catalog=0.3`, `/v1/lake/${snapshots[0]}.ducklake`].map(bytes)
    for (const other of await Promise.all(others)) expect(other.equals(first)).toBe(false)
    const secret = Buffer.from(await (await get(keyed, `/v1/lake/${last}.ducklake`)).arrayBuffer())
    expect(secret.includes(String(keyed.key))).toBe(false)
  })
})
