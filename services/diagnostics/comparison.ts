/** Two policies on the same items: which errors the first had, and what became of those items under the second. */
import { at } from '#services/analytics/columns.ts'
import { compareValues } from '#services/analytics/buckets.ts'
import type { Selection } from '#services/analytics/select.ts'
import type { CallTable } from './call-table.ts'
import { type ErrorFilter, eachSaid } from './error-series.ts'

/** How an item fared under a policy. */
interface Fared {
  n: number
  passed: number
  readonly codes: Set<string>
}

export interface CodeChange {
  readonly code: string
  /** Items that had the code before and have rollouts of both. */
  readonly n_before: number
  /** Of those, items of which at least half of the rollouts are right after. */
  readonly n_solved: number
  readonly n_unsolved: number
  readonly solved_share: number | null
  /** Of those, items that have the code after, too. */
  readonly n_kept: number
  /** Items that have the code after and had not before. */
  readonly n_new: number
  readonly n_after: number
}

export interface Comparison {
  /** Items with rollouts of both. */
  readonly n_items: number
  /** Items with rollouts of one alone. */
  readonly n_items_left_out: number
  readonly accuracy_before: number | null
  readonly accuracy_after: number | null
  readonly codes: readonly CodeChange[]
}

function fared(selection: Selection, table: CallTable, filter: ErrorFilter): Map<string, Fared> {
  const { frame, rows, scores } = selection
  const found = new Map<string, Fared>()
  for (const row of rows) {
    const item = frame.item.get(row)
    if (item === null) continue
    let known = found.get(item)
    if (known === undefined) found.set(item, (known = { n: 0, passed: 0, codes: new Set() }))
    const passed = at(scores.correct.values, row)
    if (passed >= 0) {
      known.n += 1
      known.passed += passed
    }
  }
  eachSaid(selection, table, rows, filter, (row, said) => {
    const item = frame.item.get(row)
    for (const code of said.codes.keys()) if (item !== null) found.get(item)?.codes.add(code)
  })
  return found
}

/** By integer counts: at least half of the rollouts are right. */
const isSolved = ({ n, passed }: Fared): boolean => n > 0 && 2 * passed >= n

/** Compares the rollouts of two selections by item. An item has a code where any of its rollouts has. */
export function comparison(before: Selection, after: Selection, table: CallTable, filter: ErrorFilter): Comparison {
  const one = fared(before, table, filter)
  const other = fared(after, table, filter)
  const items = [...one.keys()].filter((item) => other.has(item)).sort(compareValues)
  const pairs = items.flatMap((item) => {
    const [was, is] = [one.get(item), other.get(item)]
    return was === undefined || is === undefined ? [] : [{ was, is }]
  })
  const codes = [...new Set(pairs.flatMap(({ was, is }) => [...was.codes, ...is.codes]))].sort(compareValues)
  const accuracy = (of: (pair: { was: Fared; is: Fared }) => Fared): number | null => {
    const scored = pairs.map(of).filter(({ n }) => n > 0)
    return scored.length === 0 ? null : scored.reduce((sum, { n, passed }) => sum + passed / n, 0) / scored.length
  }
  return {
    n_items: items.length,
    n_items_left_out: new Set([...one.keys(), ...other.keys()]).size - items.length,
    accuracy_before: accuracy(({ was }) => was),
    accuracy_after: accuracy(({ is }) => is),
    codes: codes.map((code) => {
      const had = pairs.filter(({ was }) => was.codes.has(code))
      const solved = had.filter(({ is }) => isSolved(is)).length
      const after = pairs.filter(({ is }) => is.codes.has(code)).length
      const kept = had.filter(({ is }) => is.codes.has(code)).length
      return {
        code,
        n_before: had.length,
        n_solved: solved,
        n_unsolved: had.length - solved,
        solved_share: had.length === 0 ? null : solved / had.length,
        n_kept: kept,
        n_new: after - kept,
        n_after: after,
      }
    }),
  }
}
