import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silent } from '#services/logger.ts'
import { openEngine } from '#services/lake/engine.ts'
import { openLake, type Lake } from '#services/lake/lake.ts'

let folder = ''
let lake: Lake
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-lake-'))
  lake = await openLake({ scratchDir: join(folder, 'scratch'), threads: 1, memoryLimitMb: 256, logger: silent })
})
afterEach(async () => {
  await lake.close()
  await rm(folder, { recursive: true, force: true })
})

const rows = async (sql: string) => (await lake.run('rows', { sql, rowsMax: 10 })).rows

/** A statement that runs for minutes unless it is stopped. */
const ENDLESS = 'select count(*) from range(1000000) a, range(1000000) b where a.range * b.range = -1'

describe('a lake process', () => {
  test('gives rows as plain data, and says when there were more', async () => {
    const { rows: found, cut } = await lake.run('rows', {
      sql: `select i as n, 9007199254740993::bigint as big, 'ab'::blob as bytes, [1, null] as list, {a: 'x'} as made, null as none from range(12) t(i) order by i`,
      rowsMax: 10,
    })
    expect(found).toHaveLength(10)
    expect(cut).toBe(true)
    expect(found[1]).toEqual({
      n: 1,
      big: '9007199254740993',
      bytes: Buffer.from('ab'),
      list: [1, null],
      made: { a: 'x' },
      none: null,
    })
  })

  test('writes a dataset in steps, with counts and progress', async () => {
    const shares: number[] = []
    const path = join(folder, 'out.csv')
    const result = await lake.copy(
      {
        prepare: ['create temp table t as select range as x from range(5)'],
        counts: `select null, count(*) from t union all select 'odd', 2`,
        write: { gather: [], copy: `copy (select * from t order by x) to '${path}' (header false)` },
      },
      { onProgress: (share) => shares.push(share) },
    )
    expect(result).toMatchObject({
      counts: [
        [null, 5],
        ['odd', 2],
      ],
      rows: 5,
      engine: expect.stringMatching(/^duckdb v\d/),
    })
    expect(await readFile(path, 'utf8')).toBe('0\n1\n2\n3\n4\n')
    expect(shares.at(-1)).toBe(1)
  })

  test('gathers by a statement only where what it is for is there', async () => {
    const path = join(folder, 'some.csv')
    const onlyIf = (x: number) => `select 1 from t where x = ${x}`
    const { rows: written } = await lake.copy({
      prepare: ['create temp table t as select range as x from range(2)'],
      counts: 'select null, 0',
      write: {
        gather: [
          { sql: 'insert into t values (7)', onlyIf: onlyIf(1) },
          { sql: `select error('not to be run')`, onlyIf: onlyIf(5) },
        ],
        copy: `copy (select * from t order by x) to '${path}' (header false)`,
      },
    })
    expect(written).toBe(3)
  })

  test('keeps jobs apart: a table of one is not there for the next', async () => {
    await lake.copy({ prepare: ['create temp table mine as select 1 as x'], counts: 'select null, 0' })
    await expect(rows('select * from mine')).rejects.toThrow(/mine/)
  })

  test('stops a statement whose job is cancelled, and goes on with others', async () => {
    const abort = new AbortController()
    const long = lake.run('rows', { sql: ENDLESS, rowsMax: 1 }, { signal: abort.signal })
    const beside = rows('select 1 as x')
    expect(await beside).toEqual([{ x: 1 }])
    abort.abort()
    await expect(long).rejects.toMatchObject({ code: 'unavailable' })
    expect(await rows('select 2 as x')).toEqual([{ x: 2 }])
  })

  test('stops a statement that begins after its job was cancelled', async () => {
    const engine = await openEngine({ scratchDir: folder, threads: 1, memoryLimitMb: 256 })
    const abort = new AbortController()
    const long = engine.with(abort.signal, (connection) => {
      abort.abort()
      return connection.run(ENDLESS)
    })
    await expect(long).rejects.toMatchObject({ code: 'unavailable' })
    engine.close()
  })

  test('that dies rejects its jobs as unavailable, and is there again for the next', async () => {
    const long = lake.run('rows', { sql: ENDLESS, rowsMax: 1 })
    const rejected = expect(long).rejects.toMatchObject({ code: 'unavailable' })
    const pid = await childOf(process.pid)
    process.kill(pid, 'SIGKILL')
    await rejected
    expect(await rows('select 3 as x')).toEqual([{ x: 3 }])
  })

  test('may not load extensions', async () => {
    await expect(rows(`select * from read_parquet('https://localhost:1/x.parquet')`)).rejects.toThrow()
    expect(await rows(`select value from duckdb_settings() where name = 'autoload_known_extensions'`)).toEqual([
      { value: 'false' },
    ])
  })

  test('refuses jobs once it is closed', async () => {
    await rows('select 1')
    await lake.close()
    await expect(rows('select 1')).rejects.toMatchObject({ code: 'unavailable' })
  })

  test.skipIf(process.platform !== 'linux')(
    'ends when its parent is killed, whatever it is doing (seen in /proc, so Linux only)',
    async () => {
      const program = join(folder, 'parent.ts')
      await writeFile(
        program,
        `import { openLake } from '${join(dirname(dirname(import.meta.dirname)), 'services/lake/lake.ts')}'
      const lake = await openLake({ scratchDir: '${join(folder, 'other')}', threads: 1, memoryLimitMb: 256, logger: () => {} })
      await lake.run('rows', { sql: 'select 1', rowsMax: 1 })
      void lake.run('rows', { sql: ${JSON.stringify(ENDLESS)}, rowsMax: 1 })
      process.stdout.write('running')`,
      )
      const parent = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] })
      await once(parent.stdout, 'data')
      const child = await childOf(parent.pid ?? 0)
      parent.kill('SIGKILL')
      await once(parent, 'exit')
      for (let tries = 0; tries < 100 && (await exists(child)); tries++) await sleep(50)
      expect(await exists(child)).toBe(false)
    },
  )
})

/** The process that a process has started, once it has. */
async function childOf(pid: number): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const found = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')
    for (const child of found) {
      if (child !== '' && (await readFile(`/proc/${child}/cmdline`, 'utf8')).includes('lake/process.ts'))
        return Number(child)
    }
    await sleep(20)
  }
  throw new Error('no lake process was started')
}

async function exists(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat !== '' && !/\) [ZX] /.test(stat)
}
