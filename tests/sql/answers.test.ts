import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asSqlFailure } from '#services/sql/engine-problem.ts'
import { SQL_LIMITS } from '#services/sql/sql.ts'
import { readStatement } from '#services/sql/statement.ts'
import { EVERY_TYPE } from './every-type.ts'
import { ONE_RUN, rollout, sqlWorld, together, type SqlWorld } from './sql-world.ts'

let world: SqlWorld

beforeAll(async () => {
  world = await sqlWorld(together(ONE_RUN, rollout('a', { reward: 1 }), rollout('b', { reward: 2, at: 10 })))
})
afterAll(() => world.close())

describe('an answer', () => {
  it('in JSON keeps numbers that are exact and writes the rest as text', async () => {
    const [first, second] = await world.rows(EVERY_TYPE)
    expect(first).toEqual({
      flag: true,
      tiny: 7,
      small: -3,
      word: 5,
      big: '9007199254740993',
      unsigned: 200,
      single: 1.5,
      double: 0.1,
      exact: 12.34,
      text: 'wörd',
      raw: 'qgA=',
      day: '2026-02-03',
      instant: '2026-02-03T04:05:06.000007Z',
      list: [1, null, 3],
      struct: { x: 1, y: ['p', 'q'] },
      map: [{ key: 'k', value: 1 }],
      huge: 3,
    })
    expect(Object.values(second ?? {}).every((value) => value === null)).toBe(true)
  })

  it('in JSON says which columns it has, also of no rows, and names two of one name apart', async () => {
    const answer: unknown = JSON.parse(Buffer.from(await world.bytes('SELECT 1 AS a, 2 AS a WHERE false')).toString())
    expect(answer).toEqual({
      snapshot: 1,
      columns: [
        { name: 'a', type: 'INTEGER' },
        { name: 'a:1', type: 'INTEGER' },
      ],
      rows: [],
      n_rows: 0,
    })
  })

  it('is the same where it is long, short, or asked for again', async () => {
    const ids = (n: number): Promise<Record<string, unknown>[]> =>
      world.rows(`SELECT range AS id, repeat('x', 90) AS text FROM range(${n}) ORDER BY id`)
    // Some 110 bytes a row: the second is longer than what comes as a message.
    for (const n of [500, 700, 500]) {
      const rows = await ids(n)
      expect(rows).toHaveLength(n)
      expect(rows.at(-1)).toEqual({ id: n - 1, text: 'x'.repeat(90) })
    }
  })

  it('in CSV has instants in RFC 3339', async () => {
    const text = Buffer.from(
      await world.bytes('SELECT trajectory_id, started_at FROM trajectories ORDER BY 1', { format: 'csv' }),
    ).toString()
    expect(text).toBe('trajectory_id,started_at\na,2026-01-01T00:00:00.000001Z\nb,2026-01-01T00:00:00.000001Z\n')
  })

  it('in Parquet is read by the engine as it was asked for, in its order', async () => {
    const bytes = await world.bytes('SELECT i, -i AS minus FROM range(30000) t(i) ORDER BY hash(i)', {
      format: 'parquet',
    })
    const path = join(world.folder, 'answer.parquet')
    writeFileSync(path, bytes)
    const instance = await DuckDBInstance.create()
    const connection = await instance.connect()
    const read = async (sql: string) => (await connection.runAndReadAll(sql)).getColumnsJson()[0]
    expect(await read(`SELECT i FROM '${path}'`)).toEqual(
      await read('SELECT i FROM range(30000) t(i) ORDER BY hash(i)'),
    )
    connection.closeSync()
    instance.closeSync()
  })

  it('in Arrow begins and ends as a stream does', async () => {
    const bytes = await world.bytes(EVERY_TYPE, { format: 'arrow' })
    expect([...bytes.subarray(0, 4)]).toEqual([255, 255, 255, 255])
    expect([...bytes.subarray(-8)]).toEqual([255, 255, 255, 255, 0, 0, 0, 0])
    expect(bytes.length % 8).toBe(0)
  })
})

describe('a text that is asked again', () => {
  it('is answered for the values that come with it, of whatever type', async () => {
    const text = 'SELECT $1 AS x, count(*) AS n FROM trajectories WHERE trajectory_id >= $2'
    const asked = [
      [1, 'a'],
      ['one', 'b'],
      [1.5, 'c'],
      [[1, 2], 'a'],
      [null, 'a'],
    ]
    const found = []
    for (const params of asked) found.push(...(await world.rows(text, { params })))
    expect(found).toEqual([
      { x: 1, n: 2 },
      { x: 'one', n: 1 },
      { x: 1.5, n: 0 },
      { x: [1, 2], n: 2 },
      { x: null, n: 2 },
    ])
    await expect(world.rows(text, { params: [1] })).rejects.toMatchObject({ code: 'bad_sql' })
    expect(await world.rows(text, { params: [2, 'b'] })).toEqual([{ x: 2, n: 1 }])
  })

  it('is computed anew: time goes on, and luck is drawn again', async () => {
    const text = 'SELECT now()::VARCHAR AS t, random() AS luck, (SELECT max(now())::VARCHAR FROM trajectories) AS u'
    const [one] = await world.rows(text)
    const [other] = await world.rows(text)
    expect([one?.['t'], one?.['u']]).not.toEqual([other?.['t'], other?.['u']])
    expect(one?.['t']).not.toBe(other?.['t'])
    expect(one?.['luck']).not.toBe(other?.['luck'])
  })
})

describe('parameters', () => {
  it('go by place and by name, with their own types', async () => {
    expect(await world.rows('SELECT ? + 1 AS a, $2 AS b LIMIT 1'.replace('$2', '?'), { params: [41, "it's"] })).toEqual(
      [{ a: 42, b: "it's" }],
    )
    expect(
      await world.rows('SELECT $n * 2 AS n, $yes AS yes, $none IS NULL AS none', {
        params: { n: 1.5, yes: true, none: null },
      }),
    ).toEqual([{ n: 3, yes: true, none: true }])
    expect(
      await world.rows('SELECT reward FROM scores WHERE trajectory_id IN (SELECT unnest($ids)) LIMIT $n', {
        params: { ids: ['a', 'z'], n: 5 },
      }),
    ).toEqual([{ reward: 1 }])
    expect(await world.rows('SELECT list_sum($1) AS s', { params: [[1, 2.5, null]] })).toEqual([{ s: 3.5 }])
  })

  it('go into CSV and Parquet, too', async () => {
    expect(Buffer.from(await world.bytes('SELECT $1 AS x', { format: 'csv', params: ['"q"'] })).toString()).toBe(
      'x\n"""q"""\n',
    )
  })

  it('are never SQL', async () => {
    const text = "x'; DROP VIEW steps; --"
    expect(await world.rows('SELECT $1 AS x', { params: [text] })).toEqual([{ x: text }])
  })

  it.each([
    ['too few', 'SELECT $1, $2', [1], /no value for \$2/],
    ['too many', 'SELECT $1', [1, 2], /does not ask for \$2/],
    ['of another name', 'SELECT $run', { ran: 1 }, /no value for \$run/],
    ['mixed', 'SELECT $1', [[1, 'a']], /all texts/],
  ])('that are %s are an error', async (_what, text, params, says) => {
    await expect(world.rows(text, { params })).rejects.toMatchObject({
      code: 'bad_sql',
      message: expect.stringMatching(says),
    })
  })
})

describe('a statement', () => {
  it.each([
    ['SELECT 1 AS a', 1],
    ['FROM range(2)', 2],
    ['VALUES (1), (2), (3)', 3],
    ['  -- note\n/* a /* b */ c */ SELECT 1 ; ; -- end', 1],
    [`SELECT ';--' AS a, $$;$$ AS b, $x$ ' $x$ AS c, E'\\';' AS d, "n" FROM (SELECT 1 AS "n") ;`, 1],
    ['WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT * FROM t', 5],
    ['PIVOT (SELECT 1 AS a, 2 AS b) ON a IN (1) USING sum(b)', 1],
    ['SELECT * FROM (SELECT 1) UNION ALL SELECT 2', 2],
  ])('%s is answered in every format', async (text, n) => {
    expect(await world.rows(text)).toHaveLength(n)
    expect(
      Buffer.from(await world.bytes(text, { format: 'csv' }))
        .toString()
        .trimEnd()
        .split('\n'),
    ).toHaveLength(n + 1)
    expect(
      Buffer.from(await world.bytes(text, { format: 'parquet' }))
        .subarray(0, 4)
        .toString(),
    ).toBe('PAR1')
  })

  it('is explained, not run, unless that is asked for', async () => {
    const [plan] = await world.rows('EXPLAIN SELECT sum(n_steps) FROM trajectories')
    expect(String(plan?.['explain_value'])).toContain('READ_PARQUET')
    const [analyzed] = await world.rows('explain /* now */ analyze SELECT count(*) FROM trajectories;')
    expect(String(analyzed?.['explain_value'])).toContain('Total Time')
    await expect(world.bytes('EXPLAIN SELECT 1', { format: 'csv' })).rejects.toMatchObject({ code: 'bad_sql' })
  })

  it.each([
    ['SELEC 1', 'bad_sql', /syntax error/],
    ['SELECT nope FROM runs', 'bad_sql', /nope/],
    ["SELECT 1/0, error('no')", 'bad_sql', /no/],
    ["SELECT 'a'::INTEGER", 'bad_sql', /Could not convert/],
    ['', 'bad_sql', /./],
    [';', 'bad_sql', /./],
    ['SELECT * FROM trajectory', 'sql_refused', /there is no table "trajectory"/],
    ['SELECT * FROM other.runs', 'sql_refused', /no table "other.runs"/],
  ])('%s is an error that says why', async (text, code, says) => {
    await expect(world.rows(text)).rejects.toMatchObject({ code, message: expect.stringMatching(says) })
  })

  it('names ids that look like paths, and no path of the server', async () => {
    await expect(world.rows("SELECT 'r/step-3/0/a.b'::INTEGER")).rejects.toMatchObject({
      message: expect.stringContaining("'r/step-3/0/a.b'"),
    })
    await expect(world.rows("SELECT '/runs/of/mine'::INTEGER")).rejects.toMatchObject({
      message: expect.stringContaining("'/runs/of/mine'"),
    })
    const said = (error: string, paths: readonly string[]) =>
      asSqlFailure(new Error(error), SQL_LIMITS, { sql: 'SELECT 1', paths }).problem.detail
    const path = '/srv/a folder/lake/steps.parquet'
    expect(said(`Invalid Input Error: no magic bytes in "${path}" of run r/1/2`, [path])).toBe(
      'Invalid Input Error: no magic bytes in "(a file of the lake)" of run r/1/2',
    )
    expect(said('Invalid Input Error: file:///opt/duckdb/x.so is not there', [])).toBe(
      'Invalid Input Error: (a file of the lake) is not there',
    )
  })

  it('keeps its own text when what stands around it is taken off', () => {
    expect(readStatement(' explain analyze select 1 -- x')).toEqual({ body: 'select 1', explain: 'analyze' })
    expect(readStatement("select ';' ; /* end")).toEqual({ body: "select ';'", explain: 'no' })
    expect(readStatement('explained')).toEqual({ body: 'explained', explain: 'no' })
  })
})
