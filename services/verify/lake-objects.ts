/** Compares the objects of the lake and the Delta logs with the catalog: what lies there, and what other engines are told. */
import type { Row } from '#schemas/tables.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Differences } from './report.ts'

const LAKE = 'lake/'
const DELTA_LOG = '/_delta_log/'

/** A table as its Delta log has it. */
export interface DeltaTable {
  readonly table: string
  readonly version: number
  /** The size in bytes of each file, by its key. */
  readonly files: ReadonlyMap<string, number>
  /** What is wrong with the log itself. */
  readonly faults: readonly string[]
}

/** The Delta logs at a snapshot that all of them include. */
export interface DeltaLogs {
  readonly snapshotId: number
  readonly tables: readonly DeltaTable[]
  /** Tables whose log cannot be read at that snapshot, with the reason. */
  readonly unread: readonly { readonly table: string; readonly what: string }[]
}

/**
 * Looks for objects of the lake that the catalog does not know. They are no difference: each cut leaves some behind when
 * it is interrupted, and one that is under way has some. Returns what there is to say of them.
 */
export async function noteOrphans(blobs: Blobs, known: () => Promise<ReadonlySet<string>>): Promise<string[]> {
  const listed: { key: string; bytes: number }[] = []
  for await (const { key, bytes } of blobs.list(LAKE)) if (!key.includes(DELTA_LOG)) listed.push({ key, bytes })
  // After the list, so that what was entered meanwhile is known.
  const entered = await known()
  const orphans = listed.filter(({ key }) => !entered.has(key))
  const [first] = orphans
  if (first === undefined) return []
  const bytes = orphans.reduce((sum, orphan) => sum + orphan.bytes, 0)
  return [
    `${orphans.length} objects of the lake with ${bytes} bytes are in no snapshot, such as ${first.key}: an interrupted write left them, or one is under way; stepstore compact removes those that are a day old`,
  ]
}

/** Compares each Delta log with the files that the catalog has at the same snapshot. */
export function compareDelta(
  { snapshotId, tables, unread }: DeltaLogs,
  files: readonly Pick<Row<'data_files'>, 'table_name' | 'path' | 'bytes'>[],
  differences: Differences,
): void {
  for (const { table, what } of unread)
    differences.add({ where: `delta.${table}`, key: `snapshot ${snapshotId}`, what })
  for (const { table, version, files: held, faults } of tables) {
    const where = `delta.${table}`
    for (const what of faults) differences.add({ where, key: `version ${version}`, what })
    const left = new Map(held)
    for (const { path, bytes } of files.filter(({ table_name: name }) => name === table)) {
      const size = left.get(path)
      left.delete(path)
      if (size === undefined)
        differences.add({ where, key: path, what: `version ${version} lacks a file of snapshot ${snapshotId}` })
      else differences.compare(where, path, 'the log says another size than the catalog', bytes, size)
    }
    for (const path of left.keys())
      differences.add({ where, key: path, what: `version ${version} has a file that snapshot ${snapshotId} has not` })
  }
}
