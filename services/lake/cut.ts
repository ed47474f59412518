/** The job that writes the files of a cut. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { LAKE_TABLES, lakeColumns } from '#schemas/lake.ts'
import type { Row } from '#schemas/tables.ts'
import { imageRow, runRow, trajectoryRow } from '#services/core/lake-entities.ts'
import type { LakeRow } from '#services/core/lake-place.ts'
import type { Log } from '#services/log/log.ts'
import type { Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { eventOf, placeKey, type PlacedEvent, type PlacedEvents } from './cut-records.ts'
import { sqlText } from './engine.ts'
import type { ChangingTable, CutRequest, CutResult, HeldFile, JobContext, RecordPlace } from './jobs.ts'
import { writeParquet } from './parquet.ts'
import { StagedRows } from './staged-rows.ts'
import type { Staged, Stager } from './stager.ts'
import type { Staging } from './staging.ts'

/** The places of the events that make a row, and the one by which it entered the lake. */
interface Sources {
  readonly entered: number
  readonly started: number | null
}

const SOURCES: { readonly [Table in ChangingTable]: (row: Row<Table>) => Sources } = {
  trajectories: (row) => ({ entered: row.finished_offset ?? 0, started: row.started_offset }),
  runs: (row) => ({ entered: row.first_offset, started: row.started_offset }),
  images: (row) => ({ entered: row.first_offset, started: null }),
}

interface Change {
  readonly table: ChangingTable
  readonly partition: number
  readonly sources: Sources
  /** Makes the row of the lake, once the events are there. */
  readonly make: (started: PlacedEvent | undefined, entered: PlacedEvent) => LakeRow
}

function changesOf({ rows }: CutRequest): Change[] {
  return [
    ...rows.trajectories.map((row): Change => ({
      table: 'trajectories',
      partition: row.partition,
      sources: SOURCES.trajectories(row),
      make: (started, finished) =>
        trajectoryRow(row, {
          started: started?.event,
          finished: finished.event,
          finishedAppendedAtMs: finished.appendedAtMs,
        }),
    })),
    ...rows.runs.map((row): Change => ({
      table: 'runs',
      partition: row.partition,
      sources: SOURCES.runs(row),
      make: (started, first) => runRow(row, started?.event, first.appendedAtMs),
    })),
    ...rows.images.map((row): Change => ({
      table: 'images',
      partition: row.partition,
      sources: SOURCES.images(row),
      make: (_started, first) => imageRow(row, first.appendedAtMs),
    })),
  ]
}

/** Reads the events that lie below the cut, and lists those that are nowhere. */
async function olderEvents(
  log: Log,
  request: CutRequest,
  changes: readonly Change[],
): Promise<{ events: PlacedEvents; missing: RecordPlace[] }> {
  const events: PlacedEvents = new Map()
  const missing: RecordPlace[] = []
  const kept = new Map(request.kept.map((record) => [placeKey(record.partition, record.offset), record]))
  for (const { partition, sources } of changes) {
    for (const offset of [sources.entered, sources.started]) {
      if (offset === null) continue
      const key = placeKey(partition, offset)
      if (offset >= (request.from.get(partition) ?? 0) || events.has(key)) continue
      const record = kept.get(key) ?? (await log.readOne(partition, offset))
      if (record === undefined) missing.push({ partition, offset })
      else events.set(key, { event: eventOf(record), appendedAtMs: record.appendedAtMs })
    }
  }
  return { events, missing }
}

/** The events inside the cut that rows are made of. Those that were not kept while staging are read again. */
async function eventsInside(
  log: Log,
  request: CutRequest,
  changes: readonly Change[],
  landmarks: PlacedEvents,
): Promise<PlacedEvents> {
  const events: PlacedEvents = new Map()
  for (const { partition, sources } of changes) {
    for (const offset of [sources.entered, sources.started]) {
      if (offset === null || offset < (request.from.get(partition) ?? 0)) continue
      const key = placeKey(partition, offset)
      const known = landmarks.get(key)
      const record = known === undefined ? await log.readOne(partition, offset) : undefined
      if (known !== undefined) events.set(key, known)
      else if (record !== undefined) events.set(key, { event: eventOf(record), appendedAtMs: record.appendedAtMs })
    }
  }
  return events
}

const within = (from: Offsets, to: Offsets, partition: number, offset: number): boolean =>
  offset >= (from.get(partition) ?? 0) && offset < (to.get(partition) ?? 0)

function heldFileOf(held: readonly HeldFile[], { table, partition, sources }: Change, dt: unknown): HeldFile {
  const found = held.find(
    (file) => file.table === table && file.dt === dt && within(file.from, file.to, partition, sources.entered),
  )
  if (found === undefined)
    throw new Problem(
      'corrupt',
      `no file of ${table} holds what entered at offset ${sources.entered} of partition ${partition}`,
      { hint: 'run `npx stepstore rebuild catalog`' },
    )
  return found
}

/** Writes a held file again with the rows that changed. */
async function rewrite(
  connection: DuckDBConnection,
  file: HeldFile,
  changed: StagedRows,
  localPath: string,
): Promise<CutResult['rewritten'][number]> {
  const columns = Object.keys(lakeColumns(file.table))
    .map((name) => `"${name}"`)
    .join(', ')
  const [key] = LAKE_TABLES[file.table].key
  const query = `with changed as (${changed.query()})
    select ${columns} from read_parquet(${sqlText(file.localPath)}, hive_partitioning = false) where "${key}" not in (select "${key}" from changed)
    union all select ${columns} from changed`
  return {
    path: file.path,
    file: await writeParquet(connection, file.table, file.dt, { query, sorted: false }, localPath),
  }
}

/** Divides the changed rows into new ones, which are staged, and those of held files, which go into `again` by file. */
function divide(
  request: CutRequest,
  changes: readonly Change[],
  events: PlacedEvents,
  staging: Staging,
  again: Map<HeldFile, StagedRows>,
): void {
  for (const change of changes) {
    const { partition, sources } = change
    const entered = events.get(placeKey(partition, sources.entered))
    if (entered === undefined)
      throw new Problem(
        'corrupt',
        `record ${sources.entered} of partition ${partition}, which made a row of ${change.table}, is not in the log`,
      )
    const started = sources.started === null ? undefined : events.get(placeKey(partition, sources.started))
    const row = change.make(started, entered)
    if (sources.entered >= (request.from.get(partition) ?? 0)) {
      staging.add(change.table, row)
      continue
    }
    const file = heldFileOf(request.held, change, row['dt'])
    let rows = again.get(file)
    if (rows === undefined)
      again.set(file, (rows = new StagedRows(file.table, join(request.folder, `changed-${again.size}`))))
    rows.add(row)
  }
}

/** Writes the files of a cut into the folder of the request. The same log and rows give the same bytes. */
export async function writeCut(
  connection: DuckDBConnection,
  log: Log,
  stager: Stager,
  request: CutRequest,
  context: JobContext,
): Promise<CutResult> {
  const changes = changesOf(request)
  const { events, missing } = await olderEvents(log, request, changes)
  if (missing.length > 0) return { missing, files: [], rewritten: [], records: 0, bytes: 0 }
  const staged = await stager.take(log, request, context)
  const again = new Map<HeldFile, StagedRows>()
  try {
    for (const [key, event] of await eventsInside(log, request, changes, staged.landmarks)) events.set(key, event)
    divide(request, changes, events, staged.staging, again)
    return await writeStaged(connection, request, staged, again, context)
  } finally {
    stager.discard(staged)
  }
}

async function writeStaged(
  connection: DuckDBConnection,
  request: CutRequest,
  { staging, records, bytes }: Staged,
  again: ReadonlyMap<HeldFile, StagedRows>,
  context: JobContext,
): Promise<CutResult> {
  const files = await staging.write(connection, request.folder, (share) => {
    context.signal.throwIfAborted()
    context.progress(0.4 + share / 2)
  })
  const rewritten: CutResult['rewritten'][number][] = []
  for (const [file, rows] of again) {
    rows.close()
    rewritten.push(await rewrite(connection, file, rows, join(request.folder, `again-${rewritten.length}.parquet`)))
    for (const path of rows.paths) rmSync(path)
  }
  return { missing: [], files, rewritten, records, bytes }
}
