/** Loads the rows that a batch will ask for and that are not in memory yet. */
import { type Kysely, sql } from 'kysely'
import { type Database, type Row, TABLES } from '#schemas/tables.ts'
import type { Judged } from '#services/core/fold/fact.ts'
import { keysOf } from '#services/core/fold/keys.ts'
import { type FoldState, type KeyedName, type StepPlace, rowKey } from '#services/core/fold/state.ts'

/** Key columns that are numbers; the others are text. */
const numeric = (table: KeyedName, column: string) =>
  (TABLES[table].columns as Record<string, { sql: string }>)[column]?.sql !== 'text'

async function loadTable(
  db: Kysely<Database>,
  state: FoldState,
  table: KeyedName,
  keys: readonly string[],
): Promise<void> {
  const columns = TABLES[table].key
  const wanted = keys.map((key) => {
    const parts = key.split('\u0000')
    return Object.fromEntries(
      columns.map((column, index) => [column, numeric(table, column) ? Number(parts[index]) : parts[index]]),
    )
  })
  const record = columns
    .map((column) => `"${column}" ${(TABLES[table].columns as Record<string, { sql: string }>)[column]?.sql}`)
    .join(', ')
  const same = columns.map((column) => `t."${column}" = k."${column}"`).join(' and ')
  const found = await sql<Row<typeof table>>`
    select t.* from json_to_recordset(${JSON.stringify(wanted)}::json) as k(${sql.raw(record)}) join ${sql.table(table)} t on ${sql.raw(same)}`.execute(
    db,
  )
  for (const key of keys) state.load(table, key, null)
  for (const row of found.rows)
    state.load(table, rowKey(...columns.map((column) => (row as Record<string, string | number>)[column] ?? '')), row)
}

async function loadSteps(db: Kysely<Database>, state: FoldState, trajectoryIds: readonly string[]): Promise<void> {
  const rows = await db
    .selectFrom('steps')
    .selectAll()
    .where('trajectory_id', 'in', [...trajectoryIds])
    .execute()
  const byTrajectory = new Map<string, Map<number, StepPlace>>(trajectoryIds.map((id) => [id, new Map()]))
  for (const row of rows)
    byTrajectory.get(row.trajectory_id)?.set(row.step_index, { offset: row.offset, contentHash: row.content_hash })
  for (const [id, steps] of byTrajectory) state.loadSteps(id, steps)
}

/** What a trajectory counts: where it has none of them, there is nothing to load. */
const COUNTED: { readonly [Name in KeyedName]?: 'n_scores' | 'n_trainings' | 'n_annotations' } = {
  scores: 'n_scores',
  trainings: 'n_trainings',
  annotations: 'n_annotations',
}

/** Trajectories come first, since they tell what else there is. */
const rank = (table: KeyedName): number => (table === 'trajectories' ? 0 : 1)

/** Whether the trajectory that a key begins with, which is loaded, has no row of this table; that is noted then. */
function isKnownAbsent(state: FoldState, table: KeyedName, key: string): boolean {
  const count = COUNTED[table]
  if (count === undefined) return false
  const [trajectoryId = ''] = key.split('\u0000', 1)
  if (!state.knows('trajectories', trajectoryId)) return false
  const trajectory = state.get('trajectories', trajectoryId)
  if (trajectory !== undefined && trajectory[count] > 0) return false
  state.load(table, key, null)
  return true
}

/** How many trajectories have their steps loaded by one query. */
const STEP_QUERY_KEYS_MAX = 1000

/** Makes everything known to `state` that folding `batch` reads. */
export async function loadFor(db: Kysely<Database>, state: FoldState, batch: readonly Judged[]): Promise<void> {
  const unknown = new Map<KeyedName, Set<string>>()
  for (const judged of batch) {
    for (const [table, key] of keysOf(judged)) {
      if (table === 'trajectories') state.touch(key)
      if (state.knows(table, key)) continue
      let keys = unknown.get(table)
      if (keys === undefined) unknown.set(table, (keys = new Set()))
      keys.add(key)
    }
  }
  for (const [table, keys] of [...unknown].sort(([left], [right]) => rank(left) - rank(right))) {
    const some = [...keys].filter((key) => !isKnownAbsent(state, table, key))
    if (some.length > 0) await loadTable(db, state, table, some)
  }
  const trajectories = [...(unknown.get('trajectories') ?? [])].filter(
    (id) => state.get('trajectories', id) !== undefined,
  )
  for (let from = 0; from < trajectories.length; from += STEP_QUERY_KEYS_MAX) {
    await loadSteps(db, state, trajectories.slice(from, from + STEP_QUERY_KEYS_MAX))
  }
}
