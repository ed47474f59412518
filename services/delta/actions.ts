/** The actions of a Delta log, made from the catalog. Pure: the same rows give the same bytes, whoever publishes them. */
import { createHash } from 'node:crypto'
import { LAKE_TABLES, type LakeTableName } from '#schemas/lake.ts'
import type { DataFile } from '#services/lake/catalog.ts'
import { schemaString } from './schema.ts'

/** What our commits say of themselves in `userMetadata`. */
export interface CommitNote {
  readonly snapshot_id: number
  readonly cut: string
  /** The hash of the schema, so that a changed one is noticed. */
  readonly schema: string
}

/** What is to be committed for one table. */
export interface Change {
  readonly table: LakeTableName
  readonly logId: string
  readonly snapshotId: number
  /** When the snapshot was made. */
  readonly createdAt: string
  readonly cut: string
  readonly added: readonly DataFile[]
  readonly removed: readonly DataFile[]
  /** Whether the rows are those of the version before, only in other files. */
  readonly isSameRows: boolean
  /** Whether the schema has to be said: in the first version, and where it changed. */
  readonly withSchema: boolean
}

/** The folder that is the root of a table. */
export const rootOf = (table: LakeTableName): string => `lake/${table}/`
export const logFolder = (table: LakeTableName): string => `${rootOf(table)}_delta_log/`
const wide = (version: number): string => String(version).padStart(20, '0')
export const commitKey = (table: LakeTableName, version: number): string => `${logFolder(table)}${wide(version)}.json`
export const checkpointKey = (table: LakeTableName, version: number): string =>
  `${logFolder(table)}${wide(version)}.checkpoint.parquet`
export const lastCheckpointKey = (table: LakeTableName): string => `${logFolder(table)}_last_checkpoint`

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

export const schemaHash = (table: LakeTableName): string => sha256(schemaString(table)).slice(0, 16)

/** Readers of these versions know everything that we write. */
export const protocolAction = { protocol: { minReaderVersion: 1, minWriterVersion: 2 } }

/** The name, the schema and the settings of a table. */
export function metaDataAction(table: LakeTableName, logId: string): object {
  const hex = sha256(`${logId} ${table}`)
  const id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  return {
    metaData: {
      id,
      name: table,
      description: LAKE_TABLES[table].meaning,
      format: { provider: 'parquet', options: {} },
      schemaString: schemaString(table),
      partitionColumns: [],
      // A VACUUM by another engine would remove files of snapshots that are kept here: let it find nothing old enough.
      configuration: { 'delta.deletedFileRetentionDuration': 'interval 36500 days' },
    },
  }
}

export const txnAction = (snapshotId: number, lastUpdated: number): object => ({
  txn: { appId: 'stepstore', version: snapshotId, lastUpdated },
})

/** What a file holds, for readers that skip files by it. */
function statsOf({ rows, stats, dt }: DataFile): string {
  const entries = Object.entries(stats)
  const bounds = entries.filter(([, { min, max }]) => min !== undefined && max !== undefined)
  return JSON.stringify({
    numRecords: rows,
    minValues: { dt, ...Object.fromEntries(bounds.map(([name, { min }]) => [name, min])) },
    maxValues: { dt, ...Object.fromEntries(bounds.map(([name, { max }]) => [name, max])) },
    nullCount: { dt: 0, ...Object.fromEntries(entries.map(([name, column]) => [name, column.null_count])) },
  })
}

const relative = (table: LakeTableName, { path }: DataFile): string => encodeURI(path.slice(rootOf(table).length))

export function addAction(table: LakeTableName, file: DataFile, timestamp: number, dataChange: boolean): object {
  return {
    add: {
      path: relative(table, file),
      partitionValues: {},
      size: file.bytes,
      modificationTime: timestamp,
      dataChange,
      stats: statsOf(file),
    },
  }
}

export function removeAction(table: LakeTableName, file: DataFile, timestamp: number, dataChange: boolean): object {
  return {
    remove: {
      path: relative(table, file),
      deletionTimestamp: timestamp,
      dataChange,
      extendedFileMetadata: true,
      partitionValues: {},
      size: file.bytes,
    },
  }
}

const byPath = (left: DataFile, right: DataFile): number => (left.path < right.path ? -1 : 1)

/** The bytes of a commit. */
export function commitText(change: Change): string {
  const { table, logId, snapshotId, createdAt, cut, isSameRows, withSchema } = change
  const timestamp = Date.parse(createdAt)
  const note: CommitNote = { snapshot_id: snapshotId, cut, schema: schemaHash(table) }
  const commitInfo = {
    timestamp,
    operation: isSameRows ? 'OPTIMIZE' : 'WRITE',
    operationParameters: {},
    engineInfo: 'stepstore',
    isBlindAppend: change.removed.length === 0,
    userMetadata: JSON.stringify(note),
  }
  const actions: object[] = [
    { commitInfo },
    ...(withSchema ? [protocolAction, metaDataAction(table, logId)] : []),
    txnAction(snapshotId, timestamp),
    ...change.removed.toSorted(byPath).map((file) => removeAction(table, file, timestamp, !isSameRows)),
    ...change.added.toSorted(byPath).map((file) => addAction(table, file, timestamp, !isSameRows)),
  ]
  return actions.map((action) => `${JSON.stringify(action)}\n`).join('')
}

/** What a commit says of itself; undefined where it is none of ours. */
export function noteOf(text: string): CommitNote | undefined {
  for (const line of text.split('\n')) {
    if (!line.includes('"commitInfo"')) continue
    const { commitInfo } = JSON.parse(line) as { commitInfo?: { engineInfo?: unknown; userMetadata?: unknown } }
    if (commitInfo?.engineInfo !== 'stepstore' || typeof commitInfo.userMetadata !== 'string') return undefined
    return JSON.parse(commitInfo.userMetadata) as CommitNote
  }
  return undefined
}
