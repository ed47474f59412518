/** Answers of POST /v1/sql, as pyarrow reads them. */
import { expect, inject, it } from 'vitest'
import { EVERY_TYPE } from '#tests/sql/every-type.ts'
import { readWith } from './reader.ts'

interface Read {
  readonly arrow: { readonly types: readonly string[]; readonly rows: readonly Readonly<Record<string, string>>[] }
  readonly parquet: { readonly rows: readonly Readonly<Record<string, string>>[] }
}

const { open, keyed, runs } = inject('readers')
const read = (served: typeof open, sql: string) =>
  readWith<Read>('read-sql.py', { url: served.url, key: served.key ?? null, sql })

it('every type comes as Arrow has it', async () => {
  const { arrow } = await read(open, EVERY_TYPE)
  expect(arrow.types).toEqual([
    'bool',
    'int8',
    'int16',
    'int32',
    'int64',
    'uint8',
    'float',
    'double',
    'decimal128(9, 2)',
    'string',
    'binary',
    'date32[day]',
    'timestamp[us, tz=UTC]',
    'list<item: int32>',
    'struct<x: int32, y: list<item: string>>',
    'list<item: struct<key: string, value: int32>>',
    'double',
  ])
  expect(arrow.rows[0]).toMatchObject({
    big: '9007199254740993',
    exact: '12.34',
    text: 'wörd',
    raw: String.raw`b'\xaa\x00'`,
    day: '2026-02-03',
    instant: '2026-02-03 04:05:06.000007+00:00',
    list: '[1, None, 3]',
    struct: "{'x': 1, 'y': ['p', 'q']}",
    map: "[{'key': 'k', 'value': 1}]",
    huge: '3.0',
  })
  expect(Object.values(arrow.rows[1] ?? {}).every((value) => value === 'None')).toBe(true)
})

it('a run is the same in Arrow and in Parquet, with a key and without', async () => {
  const sql = `SELECT * FROM rollouts WHERE run_id = '${runs.played.replaceAll("'", "''")}' ORDER BY trajectory_id`
  const [one, other] = await Promise.all([read(open, sql), read(keyed, sql)])
  expect(one.arrow.rows.length).toBeGreaterThan(10)
  expect(one.arrow.rows).toEqual(one.parquet.rows)
  expect(other.arrow.rows).toEqual(one.arrow.rows)
})
