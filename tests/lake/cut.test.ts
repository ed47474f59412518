import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import { readEvent } from '#services/core/event-reader.ts'
import { eachLakeRow, type EventTableName } from '#services/core/lake-rows.ts'
import type { LakeRow } from '#services/core/lake-place.ts'
import { writeCut } from '#services/lake/cut.ts'
import type { HashRange } from '#services/core/recent-hashes.ts'
import { Stager } from '#services/lake/stager.ts'
import { openEngine, sqlText, type Engine } from '#services/lake/engine.ts'
import type { CutRequest, CutResult } from '#services/lake/jobs.ts'
import { runRows } from '#services/lake/questions.ts'
import type { Log, NewRecord } from '#services/log/log.ts'
import { garbage, history, recordOf } from '#tests/support/histories.ts'
import { memoryLog } from '#tests/support/memory-log.ts'

let scratch = ''
let engine: Engine
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'stepstore-cut-'))
  engine = await openEngine({ scratchDir: scratch, threads: 2, memoryLimitMb: 512 })
})
afterAll(async () => {
  engine.close()
  await rm(scratch, { recursive: true, force: true })
})

const context = { signal: new AbortController().signal, progress: () => undefined }

async function cut(log: Log, given: Partial<CutRequest> = {}): Promise<CutResult> {
  const to = new Map((await log.bounds()).map(({ end }, partition) => [partition, end]))
  const request: CutRequest = {
    log: { kind: 'lmdb', folder: '' },
    from: new Map(),
    to,
    verdicts: [],
    rows: { trajectories: [], runs: [], images: [] },
    held: [],
    kept: [],
    hashes: new Map(),
    folder: await mkdtemp(join(scratch, 'cut-')),
    ...given,
  }
  return engine.with(context.signal, (connection) => writeCut(connection, log, new Stager(scratch), request, context))
}

async function rowsOf(result: CutResult, table: LakeTableName): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const paths = result.files.filter((file) => file.table === table).map((file) => sqlText(file.localPath))
  if (paths.length === 0) return []
  const found = await engine.with(context.signal, (connection) =>
    runRows(connection, {
      sql: `select * from read_parquet([${paths.join(', ')}], hive_partitioning = false) order by "partition", "offset"`,
      rowsMax: 10_000,
    }),
  )
  return found.rows
}

const verdictOf = (partition: number, offset: number, verdict: string) => ({
  partition,
  offset,
  verdict,
  code: 'why',
  message: null,
  natural_key: null,
  first_offset: null,
  trajectory_id: null,
  run_id: null,
})

function judge(log: { readonly records: readonly (readonly NewRecord[])[] }) {
  return log.records.flatMap((records, partition) =>
    records.flatMap(({ headers, value }, offset) =>
      readEvent(value, headers).readable ? [] : [verdictOf(partition, offset, 'unreadable')],
    ),
  )
}

/** A memory log that remembers what went where. */
function remembered(records: readonly NewRecord[]) {
  const log = memoryLog()
  const kept: NewRecord[][] = Array.from({ length: log.partitions }, () => [])
  for (const record of records) {
    const partition = log.partitionOf(record.key)
    log.appendTo(partition, record)
    kept[partition]?.push(record)
  }
  return { log, records: kept }
}

describe('events', () => {
  test('come out byte for byte, whatever the bytes and keys', async () => {
    const bytes = fc.uint8Array({ maxLength: 60 })
    const texts = fc
      .oneof(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('', '\u0001', '\u0002', 'a\nb', '\r', '\u0000', '"', ',', "'", '\\', '\ufeff{}', '\\N', 'NULL'),
      )
      .map((text) => Buffer.from(text))
    const record = fc.record({
      key: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', '\u0001x', 'a\nb')),
      value: fc.oneof(bytes, texts),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (records) => {
        const { log, records: kept } = remembered(records)
        const verdicts = kept.flatMap((list, partition) =>
          list.map((_, offset) => verdictOf(partition, offset, 'unreadable')),
        )
        const rows = await rowsOf(await cut(log, { verdicts }), 'events')
        const expected = kept.flatMap((list, partition) =>
          list.map(({ key, value }, offset) => ({ partition, offset, key, raw: Buffer.from(value).toString('hex') })),
        )
        expect(
          rows.map((row) => ({
            partition: row['partition'],
            offset: row['offset'],
            key: row['key'],
            raw: Buffer.from(row['raw'] as Uint8Array).toString('hex'),
          })),
        ).toEqual(expected)
      }),
      { numRuns: 25 },
    )
  })

  test('hold a record without a value, and one of several MiB', async () => {
    const log = memoryLog({ partitions: 1 })
    const long = Buffer.alloc(3_000_000, 'long ')
    log.appendTo(0, { key: 'empty', value: null as unknown as Uint8Array })
    log.appendTo(0, { key: 'long', value: long })
    log.appendTo(0, { key: 'odd', value: Buffer.concat([long, Buffer.from([0xff])]) })
    const rows = await rowsOf(
      await cut(log, { verdicts: [0, 1, 2].map((offset) => verdictOf(0, offset, 'unreadable')) }),
      'events',
    )
    expect(rows.map((row) => (row['raw'] instanceof Uint8Array ? row['raw'].length : row['raw']))).toEqual([
      null,
      3_000_000,
      3_000_001,
    ])
  })

  test('say the verdict, and what accepted ones are about', async () => {
    const { log } = remembered([
      recordOf({ type: 'run.finished', data: { run_id: 'r', status: 'completed' }, time: '2026-01-01T00:00:00Z' }),
    ])
    const [row] = await rowsOf(await cut(log), 'events')
    expect(row).toMatchObject({
      verdict: 'accepted',
      code: null,
      type: 'run.finished',
      natural_key: '["run.finished","r"]',
      run_id: 'r',
      trajectory_id: null,
      dt: '2026-01-01',
    })
  })
})

/** A row as DuckDB gives it back, brought to the form of the row that was written. */
function comparable(table: EventTableName, row: LakeRow): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(lakeColumns(table)).map(([name, type]) => {
      const value = row[name] ?? null
      if (type === 'TIMESTAMPTZ' && typeof value === 'string') return [name, new Date(value).toISOString()]
      return [name, type === 'DOUBLE' && typeof value === 'string' ? Number(value) : value]
    }),
  )
}

test('rows of all event tables come back from Parquet as the functions made them', async () => {
  await fc.assert(
    fc.asyncProperty(history, fc.array(garbage, { maxLength: 2 }), async (events, rubbish) => {
      const { log, records } = remembered([...events.map((event) => recordOf(event)), ...rubbish])
      const result = await cut(log, { verdicts: judge({ records }) })
      const expected = new Map<EventTableName, LakeRow[]>()
      for (const [partition, list] of records.entries()) {
        for (const [offset, { headers, value }] of list.entries()) {
          const event = readEvent(value, headers)
          if (!event.readable) continue
          eachLakeRow(event, { partition, offset, appendedAtMs: Date.UTC(2026, 0, 1) }, (table, row) =>
            expected.set(table, [...(expected.get(table) ?? []), row]),
          )
        }
      }
      for (const [table, rows] of expected) {
        const found = (await rowsOf(result, table)).map((row) => comparable(table, row))
        const order = (row: LakeRow): string =>
          JSON.stringify([row['partition'], String(row['offset']).padStart(9), row['call_index'] ?? 0])
        expect(found.sort((left, right) => (order(left) < order(right) ? -1 : 1))).toEqual(
          rows.map((row) => comparable(table, row)).sort((left, right) => (order(left) < order(right) ? -1 : 1)),
        )
      }
      expect(result.files.reduce((sum, file) => sum + (file.table === 'events' ? file.rows : 0), 0)).toBe(
        events.length + rubbish.length,
      )
    }),
    { numRuns: 15 },
  )
})

describe('the files of a cut', () => {
  const step = (index: number, fields: Record<string, unknown> = {}) =>
    recordOf({
      type: 'step.recorded',
      data: {
        trajectory_id: `t${index % 7}`,
        step_index: Math.floor(index / 7),
        run_id: 'r',
        action_kind: 'tool_call',
        tool_calls: [{ name: 'f' }],
        raw_output: `words ${index}`,
        ...fields,
      },
      time: '2026-01-01T00:00:00Z',
    })
  const steps = Array.from({ length: 500 }, (_, index) => step(index))

  test('are byte-identical for the same records, with other numbers of threads too', async () => {
    const { log } = remembered(steps)
    const one = await cut(log)
    const two = await cut(log)
    const single = await openEngine({ scratchDir: scratch, threads: 1, memoryLimitMb: 512 })
    try {
      const to = new Map((await log.bounds()).map(({ end }, partition) => [partition, end]))
      const request: CutRequest = {
        log: { kind: 'lmdb', folder: '' },
        from: new Map(),
        to,
        verdicts: [],
        rows: { trajectories: [], runs: [], images: [] },
        held: [],
        kept: [],
        hashes: new Map(),
        folder: await mkdtemp(join(scratch, 'cut-')),
      }
      const three = await single.with(context.signal, (connection) =>
        writeCut(connection, log, new Stager(scratch), request, context),
      )
      const hashes = (result: CutResult) => result.files.map(({ table, sha256 }) => `${table} ${sha256}`)
      expect(hashes(two)).toEqual(hashes(one))
      expect(hashes(three)).toEqual(hashes(one))
    } finally {
      single.close()
    }
  })

  test('are the same where project hands on the hashes that it computed, all or some of them', async () => {
    const { log } = remembered(steps)
    const files = (result: CutResult) => result.files.map(({ table, sha256 }) => `${table} ${sha256}`)
    const computed = await cut(log)
    const held = await rowsOf(computed, 'events')
    const known = new Map<number, HashRange>()
    for (const partition of new Set(held.map((row) => Number(row['partition'])))) {
      const hashes = held.filter((row) => row['partition'] === partition).map((row) => String(row['content_hash']))
      known.set(partition, { from: 2, hashes: hashes.slice(2, 20) })
    }
    expect(files(await cut(log, { hashes: known }))).toEqual(files(computed))
    const wrong = new Map([...known].map(([partition, { from }]) => [partition, { from, hashes: ['planted'] }]))
    expect(files(await cut(log, { hashes: wrong }))).not.toEqual(files(computed))
  })

  test('are sorted by run, trajectory and step, and say what they hold', async () => {
    const { log } = remembered(steps)
    const file = (await cut(log)).files.find(({ table }) => table === 'steps')
    expect(file).toMatchObject({
      rows: 500,
      dt: '2026-01-01',
      stats: {
        run_id: { min: 'r', max: 'r', null_count: 0 },
        trajectory_id: { min: 't0', max: 't6', null_count: 0 },
        step_index: { min: 0, max: 71 },
        raw_output: { null_count: 0 },
      },
    })
    expect(file?.stats['raw_output']).not.toHaveProperty('min')
    const { rows } = await engine.with(context.signal, (connection) =>
      runRows(connection, {
        sql: `select trajectory_id, step_index from ${sqlText(file?.localPath ?? '')}`,
        rowsMax: 1000,
      }),
    )
    const order = rows.map((row) => `${String(row['trajectory_id'])}/${String(row['step_index']).padStart(3, '0')}`)
    expect(order).toEqual([...order].sort())
  })

  test('take numbers up to 2^53-1 and dates of the years 1 and 9999 without failing the cut', async () => {
    const most = Number.MAX_SAFE_INTEGER
    const { log } = remembered([
      step(0, {
        tool_calls: [{ name: 'f', attempt: most, call_shape: most, n_detections: most }],
        loss_mask: [most],
        prompt_tokens: most,
        started_at: '0001-01-01T00:00:00Z',
        ended_at: '9999-12-31T23:59:59.999999Z',
      }),
    ])
    const result = await cut(log)
    expect((await rowsOf(result, 'steps'))[0]).toMatchObject({ prompt_tokens: most, loss_mask: [most] })
    expect((await rowsOf(result, 'tool_calls'))[0]).toMatchObject({ attempt: most, call_shape: most })
  })

  test('keep the bounds of ids exact, however long', async () => {
    const ids = ['ü'.repeat(128), 'z'.repeat(256), '😀'.repeat(64), 'a']
    const { log } = remembered(
      ids.map((id) =>
        recordOf({
          type: 'step.recorded',
          data: { trajectory_id: id, step_index: 0, run_id: id, action_kind: 'answer' },
          time: '2026-01-01T00:00:00Z',
        }),
      ),
    )
    const stats = (await cut(log)).files.find(({ table }) => table === 'steps')?.stats
    const sorted = [...ids].sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)))
    for (const name of ['run_id', 'trajectory_id']) {
      const { min, max } = stats?.[name] ?? {}
      // Either what is there, or nothing: a bound that is cut short would prune rows away.
      if (min !== undefined) expect([min, max]).toEqual([sorted[0], sorted[3]])
    }
  })
})
