/** Compares the counts that the store keeps per partition with those that the log gives. */
import type { Changes } from '#services/core/fold/state.ts'
import { CURSOR_OF } from '#schemas/tables.ts'
import type { Store } from '#services/store/store.ts'
import type { Differences } from './report.ts'

function added(into: Record<string, number>, counts: Readonly<Record<string, number>>): Record<string, number> {
  for (const [name, count] of Object.entries(counts)) into[name] = (into[name] ?? 0) + count
  return into
}

function compareCounts(
  where: string,
  key: string,
  expected: Readonly<Record<string, number>>,
  found: Readonly<Record<string, unknown>>,
  differences: Differences,
): void {
  for (const [name, value] of Object.entries(found)) {
    if (name.startsWith('n_'))
      differences.compare(where, key, `${name} is not what the log says`, expected[name] ?? 0, value)
  }
  const lacking = Object.keys(expected).length > 0 && Object.keys(found).length === 0
  if (lacking) differences.add({ where, key, what: 'the row is missing' })
}

/**
 * Counts can only be compared where nothing was folded since `end`; on a partition that has moved on nothing is compared,
 * since the rows that the counts are made of were.
 */
export async function compareTotals(
  store: Store,
  partition: number,
  end: number,
  slices: readonly Changes[],
  differences: Differences,
): Promise<void> {
  const state = await store.transaction(async ({ db }) => ({
    cursor: await db
      .selectFrom('cursors')
      .select('next_offset')
      .where('projection', '=', CURSOR_OF.project)
      .where('partition', '=', partition)
      .executeTakeFirst(),
    partition: await db
      .selectFrom('partition_totals')
      .selectAll()
      .where('partition', '=', partition)
      .executeTakeFirst(),
    runs: await db.selectFrom('run_totals').selectAll().where('partition', '=', partition).execute(),
  }))
  if (state.cursor?.next_offset !== end) return
  const counts: Record<string, number> = {}
  const runs = new Map<string, Record<string, number>>()
  for (const slice of slices) {
    added(counts, slice.partitionTotals)
    for (const [run, delta] of slice.runTotals) runs.set(run, added(runs.get(run) ?? {}, delta.counts))
  }
  compareCounts('store.partition_totals', `partition ${partition}`, counts, state.partition ?? {}, differences)
  const held = new Map(state.runs.map((row) => [row.run_id, row]))
  for (const run of new Set([...runs.keys(), ...held.keys()])) {
    compareCounts(
      'store.run_totals',
      `${run} in partition ${partition}`,
      runs.get(run) ?? {},
      held.get(run) ?? {},
      differences,
    )
  }
}
