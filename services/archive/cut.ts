/** What a cut is made of: how far project has come, and what changed, read in one transaction. */
import { type Kysely, sql } from 'kysely'
import type { Database, Row } from '#schemas/tables.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { CutRequest, HeldFile } from '#services/lake/jobs.ts'
import { includes, type Offsets, parseOffsets } from '#services/position.ts'
import type { Store } from '#services/store/store.ts'

/** The projection under which archive keeps its cursor. */
export const PROJECTION = 'archive'
const FOLLOWED = 'project'

export type Plan = Pick<CutRequest, 'from' | 'to' | 'verdicts' | 'rows'> & {
  readonly held: readonly Row<'data_files'>[]
}

/** The committed offsets of a projection. */
export async function cursorsOf(db: Kysely<Database>, projection: string): Promise<Map<number, number>> {
  const rows = await db
    .selectFrom('cursors')
    .select(['partition', 'next_offset'])
    .where('projection', '=', projection)
    .orderBy('partition')
    .execute()
  return new Map(rows.map((row) => [row.partition, row.next_offset]))
}

/** Reads what the next cut must hold. Undefined where project has nothing new, or has not yet come to archive's cursor. */
export function planCut(store: Store): Promise<Plan | undefined> {
  return store.transaction(async ({ db }) => {
    const to = await cursorsOf(db, FOLLOWED)
    const from = await cursorsOf(db, PROJECTION)
    if (!includes(to, from) || includes(from, to)) return undefined
    const changed = await Promise.all([...to].map(([partition]) => changesOf(db, partition, from.get(partition) ?? 0)))
    const rows = {
      trajectories: changed.flatMap(({ trajectories }) => trajectories),
      runs: changed.flatMap(({ runs }) => runs),
      images: changed.flatMap(({ images }) => images),
    }
    const below = (partition: number, offset: number | null): boolean =>
      offset !== null && offset < (from.get(partition) ?? 0)
    const rewrites =
      rows.trajectories.some((row) => below(row.partition, row.finished_offset)) ||
      rows.runs.some((row) => below(row.partition, row.first_offset)) ||
      rows.images.some((row) => below(row.partition, row.first_offset))
    const held = rewrites
      ? await db
          .selectFrom('data_files')
          .selectAll()
          .where('table_name', 'in', ['trajectories', 'runs', 'images'])
          .where('end_snapshot', 'is', null)
          .execute()
      : []
    return { from, to, verdicts: changed.flatMap(({ verdicts }) => verdicts), rows, held }
  })
}

/** The verdicts on records in [from, to) that were not accepted. What is folded is judged for ever. */
export async function verdictsBetween(db: Kysely<Database>, from: Offsets, to: Offsets): Promise<Row<'verdicts'>[]> {
  const found: Row<'verdicts'>[] = []
  for (const [partition, end] of to) {
    const start = from.get(partition) ?? 0
    if (start >= end) continue
    const rows = await db
      .selectFrom('verdicts')
      .selectAll()
      .where('partition', '=', partition)
      .where('offset', '>=', start)
      .where('offset', '<', end)
      .orderBy('offset')
      .execute()
    found.push(...rows)
  }
  return found
}

/** Rows of a partition that changed at or above an offset, in a fixed order. Cursors and rows are of one moment, so there is no upper bound. */
async function changesOf(db: Kysely<Database>, partition: number, from: number) {
  return {
    verdicts: await db
      .selectFrom('verdicts')
      .selectAll()
      .where('partition', '=', partition)
      .where('offset', '>=', from)
      .orderBy('offset')
      .execute(),
    trajectories: await changedTrajectories(db, partition, from),
    runs: await db
      .selectFrom('runs')
      .selectAll()
      .where('partition', '=', partition)
      .where('last_offset', '>=', from)
      .orderBy('run_id')
      .execute(),
    images: await db
      .selectFrom('images')
      .selectAll()
      .where('partition', '=', partition)
      .where('last_offset', '>=', from)
      .orderBy('image_id')
      .execute(),
  }
}

/** As one text a row: to read some forty columns one by one takes longer than to fold them did. */
async function changedTrajectories(
  db: Kysely<Database>,
  partition: number,
  from: number,
): Promise<Row<'trajectories'>[]> {
  const { rows } = await sql<{ row: string }>`
    select row_to_json(t)::text as row from trajectories t
    where t.partition = ${partition} and t.lake_offset >= ${from} and t.finished_offset is not null
    order by t.trajectory_id`.execute(db)
  return rows.map(({ row }) => JSON.parse(row) as Row<'trajectories'>)
}

/** The files that hold rows of the plan which changed, at local paths. */
export async function heldFiles(blobs: Blobs, { held, rows, from }: Plan): Promise<HeldFile[]> {
  const entered = [
    ...rows.trajectories.map((row) => ({
      table: 'trajectories',
      partition: row.partition,
      offset: row.finished_offset ?? 0,
    })),
    ...rows.runs.map((row) => ({ table: 'runs', partition: row.partition, offset: row.first_offset })),
    ...rows.images.map((row) => ({ table: 'images', partition: row.partition, offset: row.first_offset })),
  ].filter(({ partition, offset }) => offset < (from.get(partition) ?? 0))
  const holds = (table: string, low: Offsets, high: Offsets): boolean =>
    entered.some(
      (row) =>
        row.table === table &&
        row.offset >= (low.get(row.partition) ?? 0) &&
        row.offset < (high.get(row.partition) ?? 0),
    )
  const files = held
    .map((file) => ({ file, from: parseOffsets(file.from_offsets), to: parseOffsets(file.to_offsets) }))
    .filter(({ file, from: low, to: high }) => holds(file.table_name, low, high))
  return Promise.all(
    files.map(async ({ file, from: low, to: high }) => ({
      table: file.table_name as HeldFile['table'],
      path: file.path,
      dt: file.dt,
      from: low,
      to: high,
      localPath: await blobs.localPath(file.path),
    })),
  )
}
