/**
 * verify: folds the log again in memory and compares the store, the lake and every stored object with it, at one
 * position taken at the start. Nothing is trusted but the log.
 */
import type { ProjectedName, Row } from '#schemas/tables.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Changes } from '#services/core/fold/state.ts'
import type { Log } from '#services/log/log.ts'
import { type Offsets, formatPosition } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { Store } from '#services/store/store.ts'
import { expectedRows, slicesOf } from './expected.ts'
import { compareNamed, compareObject, findDatasets, findImages } from './files.ts'
import { compareDelta, type DeltaLogs, noteOrphans } from './lake-objects.ts'
import { type ExpectedFact, type LakeQuery, compareEvents, compareFacts, compareTrajectories } from './lake-side.ts'
import { type Counts, Differences, type RunCounts, type VerifyReport } from './report.ts'
import { compareRows, countRows } from './store-side.ts'
import { compareTotals } from './totals.ts'

/** What verify looks at. */
export interface VerifySource {
  /** The log, whole: what it no longer holds is read from the lake (`withHistory`). */
  readonly log: Log
  readonly store: Store
  readonly blobs: Blobs
  /** A published snapshot that includes the given offsets, or undefined where none came in time. */
  reach(offsets: Offsets): Promise<{ readonly snapshot_id: number; readonly cut: Offsets } | undefined>
  /** The files of all lake tables at a snapshot. */
  filesAt(snapshotId: number): Promise<readonly Row<'data_files'>[]>
  /** The keys of all files that the catalog knows, of whatever snapshot. */
  known(): Promise<ReadonlySet<string>>
  /** The Delta logs; a note instead where they cannot be compared now. */
  deltaLogs(): Promise<DeltaLogs | string>
  /** Runs a statement over Parquet files; `from` is what stands for them. */
  query(paths: readonly string[], statement: (from: string) => string): Promise<Record<string, unknown>[]>
}

/** Told what is being done, about once a second at most. */
export type OnProgress = (done: { readonly what: string; readonly part: number; readonly of: number }) => void

const FACT_TABLES = ['steps', 'scores', 'items', 'annotations', 'metrics'] as const

/** What the log makes of one partition, kept over its slices. */
interface PartitionFacts {
  readonly facts: Record<(typeof FACT_TABLES)[number], ExpectedFact[]>
  readonly finished: Row<'trajectories'>[]
  readonly rowCounts: Map<ProjectedName, number>
  toolCalls: number
}

const emptyFacts = (): PartitionFacts => ({
  facts: { steps: [], scores: [], items: [], annotations: [], metrics: [] },
  finished: [],
  rowCounts: new Map(),
  toolCalls: 0,
})

function note(partition: PartitionFacts, changes: Changes): void {
  const count = (table: ProjectedName, rows: number) =>
    partition.rowCounts.set(table, (partition.rowCounts.get(table) ?? 0) + rows)
  for (const [table, rows] of Object.entries(changes.rows) as [ProjectedName, readonly object[]][])
    count(table, rows.length)
  count('steps', changes.newSteps.length)
  count('verdicts', changes.verdicts.length)
  for (const step of changes.newSteps)
    partition.facts.steps.push({
      offset: step.offset,
      contentHash: step.content_hash,
      key: `${step.trajectory_id} / ${step.step_index}`,
    })
  for (const table of ['scores', 'items', 'annotations', 'metrics'] as const) {
    for (const row of changes.rows[table] ?? [])
      partition.facts[table].push({
        offset: row.offset,
        contentHash: row.content_hash,
        key: JSON.stringify(row).slice(0, 120),
      })
  }
  for (const row of changes.rows.trajectories ?? []) {
    partition.toolCalls += row.n_tool_calls
    if (row.finished_offset !== null) partition.finished.push(row)
  }
}

class Verification {
  readonly differences = new Differences()
  readonly counts: Counts = { events: 0, trajectories: 0, steps: 0, tool_calls: 0 }
  readonly runs = new Map<string, RunCounts>()
  readonly notes: string[] = []
  readonly #source: VerifySource
  readonly #progress: OnProgress

  constructor(source: VerifySource, progress: OnProgress) {
    this.#source = source
    this.#progress = progress
  }

  /** Compares every file of the snapshot with its hash, and gives a query over those that are whole. */
  async files(snapshotId: number): Promise<LakeQuery> {
    const source = this.#source
    const { blobs } = source
    const whole = new Map<string, string[]>()
    const files = await source.filesAt(snapshotId)
    for (const [index, file] of files.entries()) {
      this.#progress({ what: 'files', part: index + 1, of: files.length })
      if (!(await compareObject(blobs, 'file', file.path, file, this.differences))) continue
      whole.set(file.table_name, [...(whole.get(file.table_name) ?? []), await blobs.localPath(file.path)])
    }
    return async (table, statement) => {
      const paths = whole.get(table)
      return paths === undefined ? [] : source.query(paths, statement)
    }
  }

  #countRuns(partition: number, changes: Changes): void {
    for (const row of changes.rows.trajectories ?? []) {
      this.counts.trajectories += 1
      this.counts.steps += row.n_steps_seen
      this.counts.tool_calls += row.n_tool_calls
      if (row.run_id === null) continue
      const key = `${row.run_id}\u0000${partition}`
      const run = this.runs.get(key) ?? { run_id: row.run_id, partition, trajectories: 0, steps: 0 }
      run.trajectories += 1
      run.steps += row.n_steps_seen
      this.runs.set(key, run)
    }
  }

  /** Compares the Delta logs with the catalog, and counts what lies in the lake that no snapshot has. */
  async lakeObjects(): Promise<void> {
    const source = this.#source
    this.#progress({ what: 'delta logs', part: 1, of: 1 })
    const logs = await source.deltaLogs()
    if (typeof logs === 'string') this.notes.push(logs)
    else compareDelta(logs, await source.filesAt(logs.snapshotId), this.differences)
    this.notes.push(...(await noteOrphans(source.blobs, () => source.known())))
  }

  /** Folds a partition again and compares the store and the lake with it. */
  async partition(partition: number, start: number, end: number, query: LakeQuery): Promise<void> {
    const { log, store, blobs } = this.#source
    await compareEvents(log, query, partition, start, end, this.differences)
    if (start > 0)
      this.notes.push(
        `the log of partition ${partition} begins at ${start}: what lies below was read from the lake's events`,
      )
    const facts = emptyFacts()
    const totals: Changes[] = []
    const slices = slicesOf(end)
    for (let slice = 0; slice < slices; slice++) {
      this.#progress({ what: `partition ${partition}`, part: slice + 1, of: slices })
      const changes = await expectedRows(log, partition, end, slice, slices)
      note(facts, changes)
      this.#countRuns(partition, changes)
      this.counts.events += changes.partitionTotals['n_accepted'] ?? 0
      for (const [table, rows] of Object.entries(changes.rows) as unknown as [
        ProjectedName,
        Record<string, unknown>[],
      ][])
        await compareRows(store, table, rows, end, this.differences)
      await compareRows(store, 'steps', changes.newSteps, end, this.differences)
      await compareRows(store, 'verdicts', changes.verdicts, end, this.differences)
      await findImages(
        blobs,
        (changes.rows.images ?? []).filter(({ stored }) => stored).map(({ image_id }) => image_id),
        this.differences,
      )
      totals.push({ ...changes, rows: {}, newSteps: [], verdicts: [] })
    }
    await compareTotals(store, partition, end, totals, this.differences)
    await this.#surplus(partition, end, facts)
    await this.#lake(partition, query, facts)
  }

  /** Compares a partition; where its log cannot be read, that is the difference. */
  async partitionOrDamage(partition: number, start: number, end: number, query: LakeQuery): Promise<void> {
    try {
      await this.partition(partition, start, end, query)
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'corrupt') throw error
      this.differences.add({ where: 'log', key: `partition ${partition}`, what: error.message })
    }
  }

  async #surplus(partition: number, end: number, facts: PartitionFacts): Promise<void> {
    for (const [table, found] of await countRows(this.#source.store, partition, end)) {
      const expected = facts.rowCounts.get(table) ?? 0
      if (found > expected)
        this.differences.add({
          where: `store.${table}`,
          key: `partition ${partition}`,
          what: 'there are rows that no fact of the log made',
          expected,
          found,
        })
    }
  }

  async #lake(partition: number, query: LakeQuery, facts: PartitionFacts): Promise<void> {
    for (const table of FACT_TABLES) await compareFacts(query, table, partition, facts.facts[table], this.differences)
    await compareTrajectories(query, partition, facts.finished, this.differences)
    const [calls] = await query(
      'tool_calls',
      (from) => `select count(*)::integer as n from ${from} where "partition" = ${partition}`,
    )
    this.differences.compare(
      'lake.tool_calls',
      `partition ${partition}`,
      'the number of rows is not what the log says',
      facts.toolCalls,
      Number(calls?.['n'] ?? 0),
    )
  }
}

/** Compares log, store and lake at the end of the log as it is now. Throws `behind` where they do not get that far. */
export async function verify(source: VerifySource, progress: OnProgress = () => {}): Promise<VerifyReport> {
  const { log } = source
  const bounds = await log.bounds()
  const ends = new Map(bounds.map(({ end }, partition) => [partition, end]))
  const empty = bounds.every(({ end }) => end === 0)
  const snapshot = empty ? undefined : await source.reach(ends)
  if (snapshot === undefined && !empty) {
    throw new Problem('behind', 'the store and the lake did not reach the end of the log in time', {
      hint: 'see /readyz for what holds them up, then verify again',
      retryAfterSeconds: 10,
    })
  }
  const verification = new Verification(source, progress)
  const query: LakeQuery =
    snapshot === undefined ? () => Promise.resolve([]) : await verification.files(snapshot.snapshot_id)
  const cut = snapshot?.cut ?? new Map<number, number>()
  for (const [partition, { start }] of bounds.entries())
    await verification.partitionOrDamage(partition, start, cut.get(partition) ?? 0, query)
  if (snapshot !== undefined) await verification.lakeObjects()
  await compareNamed(source.blobs, verification.differences)
  await findDatasets(source.blobs, verification.differences)
  const { differences, counts, runs, notes } = verification
  return {
    ok: differences.count === 0,
    position: formatPosition(log.id, cut),
    snapshot: snapshot?.snapshot_id ?? null,
    counts,
    runs: [...runs.values()].sort((left, right) => (left.run_id < right.run_id ? -1 : 1)),
    differences: differences.listed,
    n_differences: differences.count,
    notes,
  }
}
