/** What is staged ahead must come out as if the cut had made it all, and what does not fit must not come out at all. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeCut } from '#services/lake/cut.ts'
import { openEngine, type Engine } from '#services/lake/engine.ts'
import type { CutResult, StageRequest } from '#services/lake/jobs.ts'
import { Stager } from '#services/lake/stager.ts'
import type { Offsets } from '#services/position.ts'
import { memoryLog } from '#tests/support/memory-log.ts'

let scratch: string
let engine: Engine
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'stepstore-stager-'))
  engine = await openEngine({ scratchDir: scratch, threads: 1, memoryLimitMb: 512 })
})
afterAll(async () => {
  engine.close()
  await rm(scratch, { recursive: true, force: true })
})

const context = { signal: new AbortController().signal, progress: () => undefined }
const RECORDS = 60

async function filledLog() {
  const log = memoryLog()
  for (let n = 0; n < RECORDS; n++) {
    const data = {
      trajectory_id: `t${n % 5}`,
      run_id: 'r',
      step_index: Math.floor(n / 5),
      action_kind: 'message',
      raw_output: `said ${n}\n`,
    }
    const event = {
      specversion: '1.0',
      id: String(n),
      source: '/t',
      type: 'step.recorded',
      time: '2026-01-01T00:00:00Z',
      data,
    }
    await log.append([
      {
        key: `t${n % 5}`,
        headers: { 'content-type': 'application/cloudevents+json' },
        value: Buffer.from(JSON.stringify(event)),
      },
    ])
  }
  const ends = (await log.bounds()).map(({ end }) => end)
  return { log, ends }
}

type Filled = Awaited<ReturnType<typeof filledLog>>

const range = (from: Offsets, to: Offsets): StageRequest => ({
  log: { kind: 'lmdb', folder: '' },
  from,
  to,
  hashes: new Map(),
  verdicts: [],
})

async function cut({ log }: Filled, stager: Stager, from: Offsets, to: Offsets): Promise<CutResult> {
  const folder = await mkdtemp(join(scratch, 'cut-'))
  const request = { ...range(from, to), rows: { trajectories: [], runs: [], images: [] }, held: [], kept: [], folder }
  return engine.with(context.signal, (connection) => writeCut(connection, log, stager, request, context))
}

const hashes = ({ files }: CutResult): string[] => files.map(({ table, rows, sha256 }) => `${table} ${rows} ${sha256}`)

/** A share of each partition, as offsets. */
const part = (ends: readonly number[], share: number): Offsets =>
  new Map(ends.map((end, partition) => [partition, Math.floor(end * Math.min(1, share))]))

test('a cut gives the same files whatever was staged before it, in any parts', async () => {
  const filled = await filledLog()
  const whole = part(filled.ends, 1)
  const expected = hashes(await cut(filled, new Stager(scratch), new Map(), whole))
  expect(expected.length).toBe(2)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }), async (shares) => {
      const stager = new Stager(scratch)
      let from: Offsets = new Map()
      for (const share of shares.toSorted((left, right) => left - right)) {
        const to = part(filled.ends, share)
        await stager.stage(filled.log, range(from, to), context)
        from = to
      }
      expect(hashes(await cut(filled, stager, new Map(), whole))).toEqual(expected)
    }),
    { numRuns: 12 },
  )
})

test('what was staged from elsewhere, or goes past the cut, is not used', async () => {
  const filled = await filledLog()
  const [half, whole] = [part(filled.ends, 0.5), part(filled.ends, 1)]
  const first = hashes(await cut(filled, new Stager(scratch), new Map(), half))
  const second = hashes(await cut(filled, new Stager(scratch), half, whole))
  const past = new Stager(scratch)
  await past.stage(filled.log, range(new Map(), whole), context)
  expect(hashes(await cut(filled, past, new Map(), half))).toEqual(first)
  const elsewhere = new Stager(scratch)
  await elsewhere.stage(filled.log, range(new Map(), half), context)
  expect(hashes(await cut(filled, elsewhere, half, whole))).toEqual(second)
  const torn = new Stager(scratch)
  await torn.stage(filled.log, range(new Map(), half), context)
  await torn.stage(filled.log, range(part(filled.ends, 0.7), whole), context)
  expect(hashes(await cut(filled, torn, half, whole))).toEqual(second)
})

test('staging and cutting at once keep their order, and leave nothing behind', async () => {
  const filled = await filledLog()
  const [half, whole] = [part(filled.ends, 0.5), part(filled.ends, 1)]
  const stager = new Stager(scratch)
  const [, first, , second] = await Promise.all([
    stager.stage(filled.log, range(new Map(), part(filled.ends, 0.3)), context),
    cut(filled, stager, new Map(), half),
    stager.stage(filled.log, range(half, part(filled.ends, 0.8)), context),
    cut(filled, stager, half, whole),
  ])
  expect([...hashes(first), ...hashes(second)]).toEqual([
    ...hashes(await cut(filled, new Stager(scratch), new Map(), half)),
    ...hashes(await cut(filled, new Stager(scratch), half, whole)),
  ])
  expect((await readdir(scratch)).filter((name) => name.startsWith('staged-'))).toEqual([])
})
