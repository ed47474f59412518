/** Compares the rows of the store with what the log says they must be. */
import { sql } from 'kysely'
import { type ProjectedName, TABLES } from '#schemas/tables.ts'
import type { Store } from '#services/store/store.ts'
import { type Differences, same } from './report.ts'

type AnyRow = Record<string, unknown>

/** Rows looked up by one query. */
const QUERY_ROWS = 2000

const keyText = (table: ProjectedName, row: AnyRow) =>
  TABLES[table].key.map((column) => String(row[column])).join(' / ')

/** Rows that an event after the position may have changed already; they are only looked for, not compared. */
function movedOn(row: AnyRow, end: number): boolean {
  for (const column of ['last_offset', 'offset']) {
    const at = row[column]
    if (typeof at === 'number' && at >= end) return true
  }
  return false
}

async function lookUp(store: Store, table: ProjectedName, rows: readonly AnyRow[]): Promise<Map<string, AnyRow>> {
  const { columns, key } = TABLES[table]
  const wanted = rows.map((row) => Object.fromEntries(key.map((column) => [column, row[column]])))
  const record = key
    .map((column) => `"${column}" ${(columns as Record<string, { sql: string }>)[column]?.sql}`)
    .join(', ')
  const matches = key.map((column) => `t."${column}" = k."${column}"`).join(' and ')
  const found = await sql<AnyRow>`
    select t.* from json_to_recordset(${JSON.stringify(wanted)}::json) as k(${sql.raw(record)}) join ${sql.table(table)} t on ${sql.raw(matches)}`.execute(
    store.db,
  )
  return new Map(found.rows.map((row) => [keyText(table, row), row]))
}

function compareRow(
  table: ProjectedName,
  key: string,
  expected: AnyRow,
  found: AnyRow,
  differences: Differences,
): void {
  for (const column of Object.keys(TABLES[table].columns)) {
    // NUL cannot be held by Postgres and is kept as U+FFFD.
    const wanted = typeof expected[column] === 'string' ? expected[column].replaceAll('\0', '\ufffd') : expected[column]
    if (!same(clean(wanted), found[column])) {
      differences.add({
        where: `store.${table}`,
        key,
        what: `${column} is not what the log says`,
        expected: wanted,
        found: found[column],
      })
    }
  }
}

/** JSON values as Postgres gives them back. */
function clean(value: unknown): unknown {
  return typeof value === 'object' && value !== null
    ? JSON.parse(JSON.stringify(value).replaceAll('\\u0000', '\\ufffd'))
    : value
}

/** Looks every expected row up and compares it. `end` is the position in the partition of the rows. */
export async function compareRows(
  store: Store,
  table: ProjectedName,
  rows: readonly AnyRow[],
  end: number,
  differences: Differences,
): Promise<void> {
  for (let from = 0; from < rows.length; from += QUERY_ROWS) {
    const some = rows.slice(from, from + QUERY_ROWS)
    const found = await lookUp(store, table, some)
    for (const row of some) {
      const key = keyText(table, row)
      const held = found.get(key)
      if (held === undefined) differences.add({ where: `store.${table}`, key, what: 'the row is missing' })
      else if (!movedOn(held, end)) compareRow(table, key, row, held, differences)
    }
  }
}

/** Tables whose rows say which partition they are of. */
const PARTITIONED = ['runs', 'policies', 'items', 'images', 'trajectories', 'verdicts', 'quarantine'] as const
/** Tables whose rows hang on a trajectory or a run. */
const HANGING = {
  steps: 'trajectories',
  scores: 'trajectories',
  trainings: 'trajectories',
  annotations: 'trajectories',
  metrics: 'runs',
} as const

const firstPlace = (table: (typeof PARTITIONED)[number]) =>
  'first_offset' in TABLES[table].columns && table !== 'verdicts' ? 'first_offset' : 'offset'

/** How many rows of each table lie below `end` in a partition: more than expected means rows that no fact made. */
export async function countRows(store: Store, partition: number, end: number): Promise<Map<ProjectedName, number>> {
  const counts = new Map<ProjectedName, number>()
  for (const table of PARTITIONED) {
    const row = await sql<{
      n: number
    }>`select count(*) as n from ${sql.table(table)} where partition = ${partition} and ${sql.ref(firstPlace(table))} < ${end}`.execute(
      store.db,
    )
    counts.set(table, Number(row.rows[0]?.n ?? 0))
  }
  for (const [table, parent] of Object.entries(HANGING) as [keyof typeof HANGING, 'trajectories' | 'runs'][]) {
    const key = parent === 'trajectories' ? 'trajectory_id' : 'run_id'
    const join = sql.raw(`"${table}" t left join "${parent}" p on p."${key}" = t."${key}"`)
    const row = await sql<{
      n: number
    }>`select count(*) as n from ${join} where coalesce(p.partition, ${partition}) = ${partition} and t."offset" < ${end}`.execute(
      store.db,
    )
    counts.set(table, Number(row.rows[0]?.n ?? 0))
  }
  return counts
}
