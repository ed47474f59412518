import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type LakeState, oldestKept, planSweep, type Rules } from '#services/compact/policy.ts'

const rules: Rules = { snapshotMs: 1000, graceMs: 300, orphanMs: 200 }

const id = fc.integer({ min: 1, max: 20 })
const time = fc.integer({ min: 0, max: 3000 })

const state: fc.Arbitrary<LakeState> = fc
  .record({
    nowMs: time,
    newest: id,
    oldest: id,
    times: fc.array(time, { minLength: 20, maxLength: 20 }),
    ended: fc.array(fc.record({ begin: id, length: fc.integer({ min: 1, max: 8 }) }), { maxLength: 12 }),
    readers: fc.array(fc.record({ snapshot_id: id, expires_ms: time }), { maxLength: 3 }),
    expiries: fc.array(fc.record({ oldest: id, expired_ms: time }), { maxLength: 4 }),
    deltaThrough: fc.integer({ min: 0, max: 20 }),
    orphans: fc.array(time, { maxLength: 4 }),
  })
  .map(({ nowMs, newest, oldest, times, ended, readers, expiries, deltaThrough, orphans }) => ({
    nowMs,
    // Clocks go back and forth, so the times are in no order.
    snapshots: times
      .map((created_ms, index) => ({ snapshot_id: index + 1, created_ms }))
      .filter(({ snapshot_id }) => snapshot_id <= newest && snapshot_id >= Math.min(oldest, newest)),
    ended: ended.map(({ begin, length }, index) => ({
      path: `f${index}`,
      begin_snapshot: begin,
      end_snapshot: begin + length,
    })),
    readers,
    expiries,
    deltaThrough,
    orphans: orphans.map((seen_ms, index) => ({ path: `o${index}`, seen_ms })),
  }))

describe('the policy of the sweep', () => {
  test('removes no file that a kept snapshot, a reader, a grace period or the Delta logs need', () => {
    fc.assert(
      fc.property(state, (given) => {
        const { remove } = planSweep(given, rules)
        for (const file of given.ended.filter(({ path }) => remove.includes(path))) {
          const has = ({ snapshot_id }: { readonly snapshot_id: number }): boolean =>
            snapshot_id >= file.begin_snapshot && snapshot_id < file.end_snapshot
          expect(given.snapshots.filter(has)).toEqual([])
          expect(given.readers.filter((reader) => reader.expires_ms > given.nowMs && has(reader))).toEqual([])
          expect(file.end_snapshot).toBeLessThanOrEqual(given.deltaThrough)
          expect(
            given.expiries.some(
              ({ oldest, expired_ms }) => oldest >= file.end_snapshot && given.nowMs - expired_ms >= rules.graceMs,
            ),
          ).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('forgets no snapshot that is young, read, the newest or not in the Delta logs', () => {
    fc.assert(
      fc.property(state, (given) => {
        const { oldest = 0 } = planSweep(given, rules)
        const newest = Math.max(...given.snapshots.map(({ snapshot_id }) => snapshot_id))
        for (const { snapshot_id, created_ms } of given.snapshots.filter((row) => row.snapshot_id < oldest)) {
          expect(snapshot_id).not.toBe(newest)
          expect(given.nowMs - created_ms).toBeGreaterThanOrEqual(rules.snapshotMs)
          expect(snapshot_id).toBeLessThan(given.deltaThrough)
          expect(
            given.readers.filter((row) => row.expires_ms > given.nowMs && row.snapshot_id === snapshot_id),
          ).toEqual([])
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('lets no orphan go before its time, and all after it', () => {
    fc.assert(
      fc.property(state, (given) => {
        const { doom } = planSweep(given, rules)
        expect(doom).toEqual(
          given.orphans.filter(({ seen_ms }) => given.nowMs - seen_ms >= rules.orphanMs).map(({ path }) => path),
        )
      }),
    )
  })

  test('lets everything go in the end that only old snapshots had', () => {
    fc.assert(
      fc.property(state, (given) => {
        const newest = Math.max(...given.snapshots.map(({ snapshot_id }) => snapshot_id))
        const late = { ...given, nowMs: 1_000_000, readers: [], deltaThrough: newest }
        const { oldest } = planSweep(late, rules)
        expect(oldestKept(late, rules)).toBe(newest)
        const snapshots = late.snapshots.filter(({ snapshot_id }) => snapshot_id === newest)
        const expired = { oldest: oldest ?? newest, expired_ms: late.nowMs }
        const later = { ...late, snapshots, expiries: [...given.expiries, expired], nowMs: late.nowMs + rules.graceMs }
        expect(new Set(planSweep(later, rules).remove)).toEqual(
          new Set(given.ended.filter(({ end_snapshot: end }) => end <= newest).map(({ path }) => path)),
        )
      }),
    )
  })
})
