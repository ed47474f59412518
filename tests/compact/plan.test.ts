import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatOffsets, parseOffsets } from '#services/position.ts'
import { type Candidate, type Merge, planMerges, type Sizes, sizesOf } from '#services/compact/plan.ts'

const SIZES: Sizes = { bytesMax: 4_000_000, bytesMin: 1_000_000, filesMin: 4, coldMs: 1000 }

/** Files of a chain of cuts: each holds what entered between two sums of offsets, some cuts have no file. */
const chain = (table: string, dt: string): fc.Arbitrary<Candidate[]> =>
  fc
    .array(
      fc.record({
        bytes: fc.oneof(fc.integer({ min: 1, max: 40_000 }), fc.integer({ min: 1, max: 5_000_000 })),
        begun: fc.integer({ min: 0, max: 3000 }),
        isThere: fc.boolean(),
      }),
      { maxLength: 40 },
    )
    .map((cuts) =>
      cuts.flatMap(({ bytes, begun, isThere }, index) =>
        isThere
          ? [
              {
                path: `lake/${table}/dt=${dt}/${index}`,
                table_name: table,
                dt,
                bytes,
                rows: 1,
                from_offsets: formatOffsets(
                  new Map([
                    [0, index * 10],
                    [1, index * 3],
                  ]),
                ),
                to_offsets: formatOffsets(
                  new Map([
                    [0, index * 10 + 10],
                    [1, index * 3 + 3],
                  ]),
                ),
                begun_ms: begun,
              },
            ]
          : [],
      ),
    )

const lake: fc.Arbitrary<Candidate[]> = fc
  .tuple(chain('steps', '2026-01-01'), chain('steps', '2026-01-02'), chain('trajectories', '2026-01-01'))
  .map((days) => days.flat())

const at = (text: string): number => parseOffsets(text).get(0) ?? 0

/** The files once a merge is done. */
function afterwards(files: readonly Candidate[], merges: readonly Merge[], nowMs: number): Candidate[] {
  const replaced = new Set(merges.flatMap((merge) => merge.files))
  const made = merges.map((merge, index): Candidate => ({
    path: `merged ${index} ${nowMs} ${merge.files[0]?.path ?? ''}`,
    table_name: merge.table,
    dt: merge.dt,
    bytes: merge.bytes,
    rows: merge.files.reduce((sum, file) => sum + file.rows, 0),
    from_offsets: formatOffsets(merge.from),
    to_offsets: formatOffsets(merge.to),
    begun_ms: nowMs,
  }))
  return [...files.filter((file) => !replaced.has(file)), ...made]
}

describe('the plan of merges', () => {
  test('takes neighbours of one table and day, each once, and never more than fits', () => {
    fc.assert(
      fc.property(lake, fc.integer({ min: 0, max: 5000 }), fc.boolean(), (files, nowMs, everything) => {
        const taken = new Set<Candidate>()
        for (const merge of planMerges(files, SIZES, nowMs, { everything })) {
          expect(merge.files.length).toBeGreaterThan(1)
          expect(merge.bytes).toBeLessThanOrEqual(sizesOf(merge.table, SIZES).bytesMax)
          for (const file of merge.files) {
            expect([file.table_name, file.dt]).toEqual([merge.table, merge.dt])
            expect(taken.has(file)).toBe(false)
            taken.add(file)
          }
          const between = files.filter(
            (file) =>
              file.table_name === merge.table &&
              file.dt === merge.dt &&
              at(file.from_offsets) >= (merge.from.get(0) ?? 0) &&
              at(file.to_offsets) <= (merge.to.get(0) ?? 0),
          )
          expect(new Set(between)).toEqual(new Set(merge.files))
        }
      }),
    )
  })

  test('leaves alone what changed lately in a table whose rows change', () => {
    fc.assert(
      fc.property(lake, fc.integer({ min: 0, max: 5000 }), (files, nowMs) => {
        for (const merge of planMerges(files, SIZES, nowMs))
          if (merge.table === 'trajectories')
            for (const file of merge.files) expect(nowMs - file.begun_ms).toBeGreaterThanOrEqual(SIZES.coldMs)
      }),
    )
  })

  test('comes to an end, and then no two neighbours that would fit together are small', () => {
    fc.assert(
      fc.property(lake, (given) => {
        let files = given
        let nowMs = 10_000
        let rounds = 0
        for (
          let merges = planMerges(files, SIZES, nowMs);
          merges.length > 0;
          merges = planMerges(files, SIZES, nowMs)
        ) {
          files = afterwards(files, merges, nowMs)
          nowMs += SIZES.coldMs
          rounds += 1
          expect(rounds).toBeLessThan(20)
        }
        for (const day of ['2026-01-01', '2026-01-02']) {
          const inOrder = files
            .filter((file) => file.table_name === 'steps' && file.dt === day)
            .toSorted((left, right) => at(left.from_offsets) - at(right.from_offsets))
          for (const [index, file] of inOrder.entries()) {
            const next = inOrder[index + 1]
            if (next === undefined || file.bytes >= SIZES.bytesMin || next.bytes >= SIZES.bytesMin) continue
            expect(file.bytes + next.bytes).toBeGreaterThan(SIZES.bytesMax)
          }
        }
      }),
    )
  })

  test('writes a row few times over while files come in one after another', () => {
    let files: Candidate[] = []
    let written = 0
    const cuts = 2000
    for (let index = 0; index < cuts; index++) {
      files.push({
        path: `cut ${index}`,
        table_name: 'steps',
        dt: '2026-01-01',
        bytes: 1000,
        rows: 1,
        from_offsets: formatOffsets(new Map([[0, index]])),
        to_offsets: formatOffsets(new Map([[0, index + 1]])),
        begun_ms: index,
      })
      const merges = planMerges(files, { ...SIZES, filesMin: 12, coldMs: 1e9 }, index)
      written += merges.reduce((sum, merge) => sum + merge.files.reduce((rows, file) => rows + file.rows, 0), 0)
      files = afterwards(files, merges, index)
    }
    expect(files.reduce((sum, file) => sum + file.rows, 0)).toBe(cuts)
    expect(files.length).toBeLessThan(60)
    expect(written / cuts).toBeLessThan(8)
  })
})
