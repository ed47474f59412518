/** Frozen catalogs by their routes: what is in them, and that their bytes never change. Attaching them is in tests/readers. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { LAKE_TABLE_NAMES, LAKE_TABLES } from '#schemas/lake.ts'
import type { Lake } from '#services/lake/lake.ts'
import { PUBLIC_URL, queryWorld, type World } from '#tests/query/world.ts'
import { inProcessLake } from '#tests/support/in-process-lake.ts'
import { memoryLog } from '#tests/support/memory-log.ts'

let folder: string
let lake: Lake
let world: World
let made = 0
/** Each test has snapshots of its own, from 10, 20, 30 … on: what was made once stays for ever. */
let base = 0
const at = (nth: number): number => base + nth

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-ducklake-'))
  const inner = await inProcessLake(join(folder, 'scratch'), () => memoryLog())
  lake = {
    ...inner,
    copy: (request) => {
      made += 1
      return inner.copy(request)
    },
  }
  world = await queryWorld({ lake })
})
beforeEach(async () => {
  base += 10
  made = 0
  await world.store.db.deleteFrom('data_files').execute()
  await world.store.db.deleteFrom('snapshots').execute()
})
afterAll(async () => {
  await world.close()
  await lake.close()
  await rm(folder, { recursive: true, force: true })
})

interface File {
  readonly table: string
  readonly begin: number
  readonly end?: number
  readonly rows?: number
  readonly stats?: unknown
}

const pathOf = ({ table, begin }: File): string => `lake/${table}/dt=2026-01-0${begin}/${begin}.parquet`

async function addFile(file: File): Promise<void> {
  const row = {
    path: pathOf(file),
    table_name: file.table,
    dt: `2026-01-0${file.begin}`,
    begin_snapshot: at(file.begin),
    end_snapshot: file.end === undefined ? null : at(file.end),
    rows: file.rows ?? 10,
    bytes: 1000,
    sha256: 'a'.repeat(64),
    from_offsets: '',
    to_offsets: '0:1',
    stats: JSON.stringify(file.stats ?? {}),
  }
  await world.store.db.insertInto('data_files').values(row).execute()
}

async function addSnapshot(nth: number, published = true): Promise<void> {
  const created_at = `2026-01-0${nth}T00:00:00.000000Z`
  const row = { snapshot_id: at(nth), created_at, log_id: world.log.id, cut: `0:${nth}`, published }
  await world.store.db.insertInto('snapshots').values(row).execute()
}

/** Two snapshots; the second replaces the file of scores. */
async function twoSnapshots(): Promise<void> {
  const stats = {
    trajectory_id: { min: "a'b", max: 'ü', null_count: 0 },
    offset: { min: 3, max: 2 ** 53 - 1, null_count: 4 },
  }
  await addFile({ table: 'steps', begin: 1 })
  await addFile({ table: 'scores', begin: 1, end: 2, rows: 7 })
  await addFile({ table: 'scores', begin: 2, rows: 9, stats })
  await addSnapshot(1)
  await addSnapshot(2)
}

const bytesOf = async (path: string): Promise<Buffer> => {
  const answer = await world.request(path)
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return Buffer.from(await answer.arrayBuffer())
}

/** Asks a catalog; its tables are in `c`. */
async function inCatalog<Result>(
  path: string,
  work: (connection: DuckDBConnection) => Promise<Result>,
): Promise<Result> {
  const file = join(folder, `${createHash('sha256').update(path).digest('hex')}.ducklake`)
  await writeFile(file, await bytesOf(path))
  const duckdb = await DuckDBInstance.create(':memory:')
  const connection = await duckdb.connect()
  try {
    await connection.run(`attach '${file}' as c (read_only)`)
    return await work(connection)
  } finally {
    connection.closeSync()
    duckdb.closeSync()
  }
}

const rowsOf = async (path: string, sql: string): Promise<unknown[]> =>
  inCatalog(path, async (connection) => (await connection.runAndReadAll(sql)).getRowObjectsJson())

describe.each(['', '?catalog=0.3'])('a catalog%s', (query) => {
  it('names the files of every snapshot up to its own, by URL', async () => {
    await twoSnapshots()
    const path = `/v1/lake/${at(2)}.ducklake${query}`
    const sql = `
      select table_name as "table", f.begin_snapshot::int as "begin", f.end_snapshot::int as "end", record_count::int as n,
        row_id_start::int as "from",
        (select value from c.ducklake_metadata where key = 'data_path') || s.path || t.path || f.path as url
      from c.ducklake_data_file f join c.ducklake_table t using (table_id) join c.ducklake_schema s using (schema_id)
      order by all`
    const file = (table: string, begin: number, end: number | null, n: number, from: number) => {
      return {
        table,
        begin: at(begin),
        end: end === null ? null : at(end),
        n,
        from,
        url: `${PUBLIC_URL}/v1/${pathOf({ table, begin })}`,
      }
    }
    expect(await rowsOf(path, sql)).toEqual([
      file('scores', 1, 2, 7, 0),
      file('scores', 2, null, 9, 7),
      file('steps', 1, null, 10, 0),
    ])
    expect(await rowsOf(path, 'select snapshot_id::int as id from c.ducklake_snapshot order by id')).toEqual([
      { id: at(1) },
      { id: at(2) },
    ])
  })

  it('knows nothing of what came later', async () => {
    await twoSnapshots()
    const sql = `select table_name as "table", f.end_snapshot as "end" from c.ducklake_data_file f join c.ducklake_table using (table_id) order by all`
    expect(await rowsOf(`/v1/lake/${at(1)}.ducklake${query}`, sql)).toEqual([
      { table: 'scores', end: null },
      { table: 'steps', end: null },
    ])
  })

  it('has every column of every table, with what is nested and what it means', async () => {
    await twoSnapshots()
    const sql = `select table_name as "table", list(column_name order by column_order) as columns
      from c.ducklake_table t join c.ducklake_column using (table_id) where parent_column is null group by all order by table_id`
    const expected = LAKE_TABLE_NAMES.map((table) => ({ table, columns: Object.keys(LAKE_TABLES[table].columns) }))
    const rows = await rowsOf(
      `/v1/lake/${at(2)}.ducklake${query}`,
      sql.replace('group by all', 'group by table_name, table_id'),
    )
    expect(rows).toEqual(expected)
    const nested = `with recursive path as (
        select column_id, column_name::varchar as name, table_id, column_type from c.ducklake_column where parent_column is null
        union all select d.column_id, p.name || '.' || d.column_name, d.table_id, d.column_type
        from path p join c.ducklake_column d on d.table_id = p.table_id and d.parent_column = p.column_id)
      select p.name, column_type as type, m.source_name as source
      from path p join c.ducklake_table t using (table_id)
      join c.ducklake_name_mapping m on m.mapping_id = p.table_id and m.target_field_id = p.column_id
      where table_name = 'steps' and p.name like 'tool_calls%' order by p.column_id`
    expect(await rowsOf(`/v1/lake/${at(2)}.ducklake${query}`, nested)).toEqual([
      { name: 'tool_calls', type: 'list', source: 'tool_calls' },
      { name: 'tool_calls.element', type: 'struct', source: 'list' },
      { name: 'tool_calls.element.id', type: 'varchar', source: 'id' },
      { name: 'tool_calls.element.name', type: 'varchar', source: 'name' },
      { name: 'tool_calls.element.arguments', type: 'varchar', source: 'arguments' },
    ])
  })

  it('has the least and the greatest value of the columns that are known', async () => {
    await twoSnapshots()
    const sql = `select column_name as name, min_value as least, max_value as most, value_count::int as n
      from c.ducklake_file_column_stats s join c.ducklake_column using (table_id, column_id)
      join c.ducklake_data_file f using (data_file_id) where f.record_count = 9 and min_value is not null order by name`
    expect(await rowsOf(`/v1/lake/${at(2)}.ducklake${query}`, sql)).toEqual([
      { name: 'dt', least: '2026-01-02', most: '2026-01-02', n: 9 },
      { name: 'offset', least: '3', most: '9007199254740991', n: 5 },
      { name: 'trajectory_id', least: "a'b", most: 'ü', n: 9 },
    ])
  })
})

describe('its bytes', () => {
  it('stay the same when more comes, when it is asked for again, and when several ask at once', async () => {
    await twoSnapshots()
    const [first, ...others] = await Promise.all([1, 2, 3].map(() => bytesOf(`/v1/lake/${at(1)}.ducklake`)))
    for (const other of others) expect(other.equals(first ?? Buffer.of())).toBe(true)
    await addFile({ table: 'steps', begin: 3 })
    await addSnapshot(3)
    expect((await bytesOf(`/v1/lake/${at(1)}.ducklake`)).equals(first ?? Buffer.of())).toBe(true)
    expect(made).toBe(1)
    const answer = await world.request(`/v1/lake/${at(1)}.ducklake`, { headers: { range: 'bytes=0-15' } })
    await answer.body?.cancel()
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([206, 'private, max-age=31536000, immutable'])
    expect(answer.headers.get('etag')).toBe(
      `"${createHash('sha256')
        .update(first ?? '')
        .digest('hex')}"`,
    )
  })

  it('are small while there is little in the lake', async () => {
    await twoSnapshots()
    expect((await bytesOf(`/v1/lake/${at(2)}.ducklake`)).length).toBeLessThan(1_500_000)
  })

  it('of the newest stay those that a reader began with, while it reads parts', async () => {
    await twoSnapshots()
    const head = await world.request('/v1/lake.ducklake', { method: 'HEAD' })
    expect(head.headers.get('content-location')).toBe(`${PUBLIC_URL}/v1/lake/${at(2)}.ducklake`)
    expect(head.headers.get('cache-control')).toBe('private, no-cache')
    await addSnapshot(3)
    const part = await world.request('/v1/lake.ducklake', { headers: { range: 'bytes=0-9' } })
    await part.body?.cancel()
    expect(part.headers.get('etag')).toBe(head.headers.get('etag'))
    const again = await world.request('/v1/lake.ducklake?catalog=0.3', { method: 'HEAD' })
    expect(again.headers.get('content-location')).toBe(`${PUBLIC_URL}/v1/lake/${at(3)}.ducklake?catalog=0.3`)
  })
})

describe('what there is not', () => {
  it.each([
    ['/v1/lake/{9}.ducklake', 404, 'not_found'],
    ['/v1/lake/{3}.ducklake', 404, 'not_found'],
    ['/v1/lake/0.ducklake', 404, 'not_found'],
    ['/v1/lake/{2}.ducklake.wal', 404, 'not_found'],
    ['/v1/lake/{2}.ducklake.wal?catalog=0.3', 404, 'not_found'],
    ['/v1/lake/steps', 404, 'not_found'],
    ['/v1/lake/{1}.ducklake', 410, 'snapshot_expired'],
    ['/v1/lake/steps/files?snapshot={1}', 410, 'snapshot_expired'],
    ['/v1/lake/{2}.ducklake?catalog=0.4', 400, 'invalid_parameter'],
    ['/v1/lake/{2}.ducklake?katalog=1.0', 400, 'unknown_parameter'],
    ['/v1/lake/{2}.ducklake?after=0:3', 400, 'invalid_parameter'],
    ['/v1/lake/steps/files?snapshot={2}&after=0:3', 400, 'invalid_parameter'],
    ['/v1/lake.ducklake?after=0:3&wait=0', 503, 'behind'],
  ])('%s is %i %s', async (path, status, code) => {
    await twoSnapshots()
    await world.store.db.deleteFrom('snapshots').where('snapshot_id', '=', at(1)).execute()
    await addSnapshot(3, false)
    const answer = await world.get(path.replace(/\{(\d)\}/, (_, nth: string) => String(at(Number(nth)))))
    expect([answer.status, answer.body.code]).toEqual([status, code])
  })

  it('an empty lake has no catalog yet, and says how to wait for one', async () => {
    const { status, body } = await world.get('/v1/lake.ducklake')
    expect([status, body.code, body.hint]).toEqual([404, 'not_found', 'after=latest waits for one that has everything'])
  })
})
