/** Writes what a batch changed, and the cursor by compare-and-swap, in one transaction. */
import { type RawBuilder, sql } from 'kysely'
import { type ProjectedName, type Row, RUN_COUNTS, TABLES, recordDefinition } from '#schemas/tables.ts'
import type { Changes, KeyedName, RunDelta, Totals } from '#services/core/fold/state.ts'
import { Problem } from '#services/problem.ts'
import type { CopyValue, StoreTransaction } from '#services/store/store.ts'
import type { SqlType } from '#schemas/columns.ts'

/** Where a projection stands in a partition. */
export interface Cursor {
  readonly partition: number
  readonly nextOffset: number
  readonly epoch: number
  readonly lastRecordHash: string | null
}

/** JSON text without NUL, which Postgres cannot hold: U+FFFD stands in its place. */
function withoutNul(text: string): string {
  return text.includes('\\u0000') ? text.replace(/(?<!\\)((?:\\\\)*)\\u0000/g, '$1\\ufffd') : text
}

/** JSON for json_to_recordset, non-finite numbers as the words that Postgres reads. */
export function recordsJson(rows: readonly object[]): string {
  return withoutNul(
    JSON.stringify(rows, (_, value: unknown) =>
      typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
    ),
  )
}

const quoted = (columns: readonly string[]) => columns.map((column) => `"${column}"`).join(', ')

const upserts = new Map<string, { head: string; tail: string }>()

/** The fixed text around the rows of an upsert that replaces whole rows. */
function upsertOf(table: ProjectedName): { head: string; tail: string } {
  let upsert = upserts.get(table)
  if (upsert === undefined) {
    const { columns, key } = TABLES[table]
    const all = Object.keys(columns)
    const rest = all.filter((column) => !(key as readonly string[]).includes(column))
    upsert = {
      head: `insert into "${table}" (${quoted(all)}) select ${quoted(all)} from json_to_recordset(`,
      tail: `::json) as given(${recordDefinition(table)}) on conflict (${quoted(key)}) do update set ${rest.map((column) => `"${column}" = excluded."${column}"`).join(', ')}`,
    }
    upserts.set(table, upsert)
  }
  return upsert
}

const upsertRows = (table: ProjectedName, rows: readonly object[]): RawBuilder<unknown> => {
  const { head, tail } = upsertOf(table)
  return sql`${sql.raw(head)}${recordsJson(rows)}${sql.raw(tail)}`
}

const PARTITION_COUNTS = ['n_accepted', 'n_duplicates', 'n_conflicts', 'n_unreadable', 'n_misrouted'] as const

/** An upsert that adds to counts, and keeps the extremes of times. */
function addTotals(
  table: 'run_totals' | 'partition_totals',
  rows: readonly object[],
  counts: readonly string[],
  times: boolean,
): RawBuilder<unknown> {
  const { columns, key } = TABLES[table]
  const all = Object.keys(columns)
  const adds = counts.map((name) => `"${name}" = t."${name}" + excluded."${name}"`)
  if (times)
    adds.push(
      'first_event_at = least(t.first_event_at, excluded.first_event_at)',
      'last_event_at = greatest(t.last_event_at, excluded.last_event_at)',
    )
  return sql`insert into ${sql.table(table)} as t (${sql.raw(quoted(all))}) select ${sql.raw(quoted(all))}
    from json_to_recordset(${JSON.stringify(rows)}::json) as given(${sql.raw(recordDefinition(table))})
    on conflict (${sql.raw(quoted(key))}) do update set ${sql.raw(adds.join(', '))}`
}

const zeros = (names: readonly string[]): Totals => Object.fromEntries(names.map((name) => [name, 0]))

function runTotalsRow(runId: string, partition: number, delta: RunDelta): object {
  return {
    run_id: runId,
    partition,
    ...zeros(RUN_COUNTS),
    ...delta.counts,
    first_event_at: delta.firstEventAt,
    last_event_at: delta.lastEventAt,
  }
}

function* stepValues(steps: readonly Row<'steps'>[]): Iterable<readonly [string, number, number, string]> {
  for (const step of steps) yield [step.trajectory_id, step.step_index, step.offset, step.content_hash]
}

/** The values of rows for COPY, in the order of the table's columns. */
function* valuesOf(table: ProjectedName, rows: readonly object[]): Iterable<CopyValue[]> {
  const columns = Object.entries<{ readonly sql: SqlType }>(TABLES[table].columns)
  for (const row of rows as readonly Readonly<Record<string, CopyValue>>[])
    yield columns.map(([name, { sql: type }]) => {
      const value = row[name] ?? null
      return type === 'json' && value !== null ? withoutNul(JSON.stringify(value)) : value
    })
}

const VERDICT_COLUMNS = Object.keys(TABLES.verdicts.columns) as (keyof Row<'verdicts'>)[]

/** Moves the cursor, or throws `cursor_moved` where somebody else owns or moved it. */
export async function moveCursor(
  transaction: StoreTransaction,
  projection: string,
  from: Cursor,
  nextOffset: number,
  lastRecordHash: string | null,
): Promise<void> {
  const moved = await transaction.db
    .updateTable('cursors')
    .set({ next_offset: nextOffset, last_record_hash: lastRecordHash })
    .where('projection', '=', projection)
    .where('partition', '=', from.partition)
    .where('next_offset', '=', from.nextOffset)
    .where('epoch', '=', from.epoch)
    .executeTakeFirst()
  if (moved.numUpdatedRows !== 1n) throw cursorMoved(projection, from.partition)
}

/** Somebody else owns the cursor, or moved it. */
export function cursorMoved(projection: string, partition: number): Problem {
  return new Problem(
    'cursor_moved',
    `the cursor of ${projection} on partition ${partition} was moved by another owner`,
    {
      hint: 'nothing was written; the batch is folded again from where the cursor is',
    },
  )
}

/** Writes the changes of one batch of one partition. */
export async function writeChanges(transaction: StoreTransaction, partition: number, changes: Changes): Promise<void> {
  for (const [table, rows] of Object.entries(changes.rows) as [KeyedName, object[]][]) {
    const added = rows.filter((row) => changes.added.has(row))
    if (added.length > 0) await transaction.copyIn(table, Object.keys(TABLES[table].columns), valuesOf(table, added))
    const changed = rows.filter((row) => !changes.added.has(row))
    if (changed.length > 0) await upsertRows(table, changed).execute(transaction.db)
  }
  if (changes.newSteps.length > 0) {
    await transaction.copyIn(
      'steps',
      ['trajectory_id', 'step_index', 'offset', 'content_hash'],
      stepValues(changes.newSteps),
    )
  }
  if (changes.verdicts.length > 0) {
    await transaction.copyIn(
      'verdicts',
      VERDICT_COLUMNS,
      changes.verdicts.map((verdict) => VERDICT_COLUMNS.map((column) => verdict[column])),
    )
  }
  if (changes.runTotals.size > 0) {
    const rows = [...changes.runTotals].map(([runId, delta]) => runTotalsRow(runId, partition, delta))
    await addTotals('run_totals', rows, RUN_COUNTS, true).execute(transaction.db)
  }
  if (Object.keys(changes.partitionTotals).length > 0) {
    await addTotals(
      'partition_totals',
      [{ partition, ...zeros(PARTITION_COUNTS), ...changes.partitionTotals }],
      PARTITION_COUNTS,
      false,
    ).execute(transaction.db)
  }
}
