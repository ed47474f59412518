import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Problem } from '#services/problem.ts'
import { childrenOf } from '#tests/support/processes.ts'
import { ONE_RUN, rollout, sqlWorld, together, type SqlWorld } from './sql-world.ts'

let world: SqlWorld
let secret: string
let file: string
let before: string

const ROWS = together(ONE_RUN, rollout('a', { reward: 1 }), rollout('b', { reward: 2, at: 10 }))
const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

async function problemOf(text: string, signal?: AbortSignal): Promise<Problem> {
  const error: unknown = await world.rows(text, signal === undefined ? {} : { signal }).then(
    (rows) => new Error(`it was answered: ${JSON.stringify(rows).slice(0, 200)}`),
    (caught: unknown) => caught,
  )
  if (error instanceof Problem) return error
  throw error as Error
}

/** The process that runs queries, where there is one. */
const processes = (): readonly number[] =>
  childrenOf(process.pid).filter((pid) => commandOf(pid).includes('services/sql/process'))

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

beforeAll(async () => {
  world = await sqlWorld(ROWS, {
    timeMs: 3_000,
    memoryMb: 192,
    processMb: 700,
    spillMb: 64,
    bytesMax: 4_000_000,
    rowsMax: 50_000,
    jsonRowsMax: 1_000,
  })
  secret = join(world.folder, 'secret.csv')
  writeFileSync(secret, 'word\nhush\n')
  const files = await world.lake.catalog.filesAt('scores', 1)
  file = await world.lake.blobs.localPath(files[0]?.path ?? '')
  before = digest(file)
})
afterAll(() => world.close())

describe('a query is refused', () => {
  it.each([
    ['that reads a file', () => `SELECT * FROM read_csv('${secret}')`],
    ['that reads a file as text', () => `SELECT * FROM read_text('/etc/passwd')`],
    ['that names a file as a table', () => `SELECT * FROM '${secret}'`],
    ['that lists files', () => `SELECT * FROM glob('/*')`],
    ['that reads a file of the lake by its path', () => `SELECT * FROM read_parquet('${file}')`],
    ['that asks for a setting', () => `SELECT current_setting('temp_directory')`],
    ['that asks for all settings', () => 'SELECT * FROM duckdb_settings()'],
    ['that asks for paths', () => 'SELECT sql FROM duckdb_views()'],
    ['that asks for paths in the schema', () => 'SELECT view_definition FROM information_schema.views'],
    ['that asks for the environment', () => `SELECT getenv('HOME')`],
    ['that changes a setting', () => 'SET threads = 64'],
    ['that resets one', () => 'RESET lock_configuration'],
    ['that attaches', () => `ATTACH '${world.folder}/x.db'`],
    ['that installs', () => 'INSTALL httpfs'],
    ['that loads', () => `LOAD '/tmp/x.duckdb_extension'`],
    ['that exports', () => `EXPORT DATABASE '${world.folder}/out'`],
    ['that writes over a file of the lake', () => `COPY (SELECT 1) TO '${file}'`],
    ['that hides that in a plan', () => `EXPLAIN ANALYZE COPY (SELECT 1) TO '${file}' (FORMAT parquet)`],
    ['that hides that behind a comment', () => `/* /* */ */ EXPLAIN -- \n ANALYZE COPY (SELECT 1) TO '${file}'`],
    ['that hides that behind a query', () => `SELECT 1; COPY (SELECT 1) TO '${file}'`],
    ['that closes our bracket', () => `SELECT 1) TO '${file}'; --`],
    ['that makes a table', () => 'CREATE TABLE x AS SELECT 1'],
    ['that drops a view', () => 'DROP VIEW steps'],
    ['that replaces one', () => 'CREATE OR REPLACE VIEW steps AS SELECT 1'],
    ['that calls', () => 'CALL enable_logging()'],
    [
      'that logs to a file',
      () => `SELECT * FROM enable_logging(storage = 'file', storage_config = {'path': '${world.folder}/logs'})`,
    ],
    ['that profiles to a file', () => `SELECT * FROM enable_profiling(save_location := '${world.folder}/profile')`],
    ['that runs a text', () => `SELECT * FROM query('SELECT 1')`],
    ['that runs a tree', () => `SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))`],
    ['that prepares', () => 'PREPARE x AS SELECT 1'],
    ['of a pragma', () => 'PRAGMA database_list'],
    ['of a checkpoint', () => 'CHECKPOINT'],
    ['that only waits', () => 'SELECT sleep_ms(100000)'],
  ])('%s', async (_what, text) => {
    const problem = await problemOf(text())
    expect([problem.code, problem.message]).toEqual([
      expect.stringMatching(/^(sql_refused|bad_sql)$/),
      expect.any(String),
    ])
    expect(problem.message + (problem.hint ?? '')).not.toContain(world.folder)
    expect(digest(file)).toBe(before)
    expect(readdirSync(world.folder).sort()).toEqual(['secret.csv', 'sql'])
    expect(await world.rows('SELECT sum(reward) AS s FROM scores')).toEqual([{ s: 3 }])
  })
})

describe('a query that takes too much ends, and the next is answered', () => {
  const over: [what: string, text: string, says: RegExp][] = [
    ['rows', 'SELECT * FROM range(100000)', /rows/],
    [
      'time: a cross join',
      'SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range = b.range + 1',
      /took longer|memory|disk/,
    ],
    [
      'time: a recursion without end',
      'WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t',
      /took longer|memory|disk/,
    ],
    ['memory: a text of 1 GB', "SELECT length(repeat('x', 1000000000))", /memory|took longer/],
    [
      'memory: many of them',
      "SELECT sum(length(repeat('x', 100000000 + i::INTEGER))) FROM range(1000) t(i)",
      /memory|took longer/,
    ],
    ['memory: a list of everything', 'SELECT len(list(i)) FROM range(1000000000) t(i)', /memory|disk|took longer/],
    [
      'disk: a sort',
      'SELECT * FROM (SELECT repeat(md5(i::VARCHAR), 20) AS x FROM range(5000000) t(i)) ORDER BY x OFFSET 4999999',
      /memory|disk|took longer/,
    ],
    ['bytes of answer', 'SELECT repeat(md5(i::VARCHAR), 2000) AS x FROM range(900) t(i)', /bytes|took longer/],
  ]
  it.each(over)('%s', async (_what, text, says) => {
    const problem = await problemOf(text)
    expect([problem.code, problem.message]).toEqual(['sql_limit', expect.stringMatching(says)])
    expect(await world.rows('SELECT sum(reward) AS s FROM scores')).toEqual([{ s: 3 }])
  })

  it('rows and bytes of CSV and Parquet', async () => {
    for (const format of ['csv', 'parquet', 'arrow'] as const) {
      const rows = await world.bytes('SELECT * FROM range(100000)', { format }).catch((caught: unknown) => caught)
      expect(rows).toMatchObject({ code: 'sql_limit', message: expect.stringContaining('rows') })
      const bytes = await world
        .bytes(
          `SELECT ${Array.from({ length: 12 }, () => 'md5(random()::VARCHAR)').join(' || ')} AS x FROM range(50000)`,
          { format },
        )
        .catch((caught: unknown) => caught)
      expect(bytes).toMatchObject({ code: 'sql_limit' })
    }
    expect(readdirSync(join(world.folder, 'sql', 'process-0', 'answers'))).toEqual([])
  })

  it('of nesting', async () => {
    const deep = `SELECT ${'('.repeat(20_000)}1${')'.repeat(20_000)}`
    expect((await problemOf(deep)).code).toMatch(/bad_sql|sql_limit|sql_refused|unavailable/)
    const long = `SELECT ${Array.from({ length: 20_000 }, () => '1').join('+')}`
    await world.rows(long).catch((caught: unknown) => expect(caught).toBeInstanceOf(Problem))
    expect(await world.rows('SELECT 1 AS one')).toEqual([{ one: 1 }])
  })
})

describe('the process', () => {
  it('that is killed in the middle of a query fails that one alone', async () => {
    await world.rows('SELECT 1')
    const [pid] = processes()
    const failing = problemOf(
      'SELECT count(*) FROM range(1000000000) a, range(1000) b WHERE (a.range + b.range) % 7 = 1',
    )
    await new Promise((resolve) => setTimeout(resolve, 200))
    process.kill(pid ?? 0, 'SIGKILL')
    expect(await failing).toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 })
    expect(await world.rows('SELECT sum(reward) AS s FROM scores')).toEqual([{ s: 3 }])
    expect(processes()).not.toContain(pid)
  })

  it('knows nothing of the environment of the server', async () => {
    await world.rows('SELECT 1')
    const environment = readFileSync(`/proc/${processes()[0] ?? 0}/environ`, 'utf8')
    expect(environment.split('\0').map((line) => line.split('=')[0])).toEqual(
      expect.not.arrayContaining(['HOME', 'PATH']),
    )
  })

  it('stops a query whose asker went away, and forgets those that waited', async () => {
    const leaving = new AbortController()
    const slow = 'SELECT count(*) FROM range(1000000000) a, range(1000) b WHERE (a.range + b.range) % 7 = 1'
    const running = problemOf(slow, leaving.signal)
    const waiting = problemOf(slow, leaving.signal)
    const third = world.rows('SELECT 3 AS three')
    await new Promise((resolve) => setTimeout(resolve, 100))
    const fourth = await problemOf('SELECT 4')
    expect(fourth).toMatchObject({ code: 'too_many', retryAfterSeconds: 2 })
    leaving.abort()
    expect((await running).message).toContain('cancelled')
    expect((await waiting).message).toContain('cancelled')
    expect(await third).toEqual([{ three: 3 }])
  })
})
