/** Checkpoints: the state of a table at one version as one Parquet file, so that readers need not read every commit. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LakeTableName } from '#schemas/lake.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { DataFile } from '#services/lake/catalog.ts'
import { sqlText } from '#services/lake/engine.ts'
import type { Lake } from '#services/lake/lake.ts'
import { addAction, checkpointKey, lastCheckpointKey, metaDataAction, protocolAction, txnAction } from './actions.ts'

export interface CheckpointState {
  readonly table: LakeTableName
  readonly version: number
  readonly logId: string
  readonly snapshotId: number
  /** The time of the version, in milliseconds since 1970. */
  readonly timestamp: number
  /** The files of the version. */
  readonly files: readonly DataFile[]
}

const TEXTS = 'MAP(VARCHAR, VARCHAR)'
/** The columns of a checkpoint, as the protocol names them. */
const COLUMNS = {
  txn: 'STRUCT("appId" VARCHAR, "version" BIGINT, "lastUpdated" BIGINT)',
  add: `STRUCT("path" VARCHAR, "partitionValues" ${TEXTS}, "size" BIGINT, "modificationTime" BIGINT, "dataChange" BOOLEAN, "stats" VARCHAR)`,
  remove: `STRUCT("path" VARCHAR, "deletionTimestamp" BIGINT, "dataChange" BOOLEAN, "extendedFileMetadata" BOOLEAN, "partitionValues" ${TEXTS}, "size" BIGINT)`,
  metaData: `STRUCT("id" VARCHAR, "name" VARCHAR, "description" VARCHAR, "format" STRUCT("provider" VARCHAR, "options" ${TEXTS}), "schemaString" VARCHAR, "partitionColumns" VARCHAR[], "configuration" ${TEXTS})`,
  protocol: 'STRUCT("minReaderVersion" INTEGER, "minWriterVersion" INTEGER)',
}

/** Writes the checkpoint of a version and names it as the last one. Doing it twice changes nothing. */
export async function writeCheckpoint(
  blobs: Blobs,
  lake: Lake,
  state: CheckpointState,
  signal: AbortSignal,
): Promise<void> {
  const { table, version, logId, snapshotId, timestamp, files } = state
  const actions = [
    protocolAction,
    metaDataAction(table, logId),
    txnAction(snapshotId, timestamp),
    ...files.map((file) => addAction(table, file, timestamp, false)),
  ]
  const folder = await mkdtemp(join(lake.scratchDir, 'checkpoint-'))
  try {
    const [lines, parquet] = [join(folder, 'actions.ndjson'), join(folder, 'checkpoint.parquet')]
    await writeFile(lines, actions.map((action) => `${JSON.stringify(action)}\n`).join(''))
    const columns = Object.entries(COLUMNS).map(([name, type]) => `${sqlText(name)}: ${sqlText(type)}`)
    const source = `read_json(${sqlText(lines)}, format = 'newline_delimited', maximum_object_size = 67108864, columns = {${columns.join(', ')}})`
    const sql = `copy (select * from ${source}) to ${sqlText(parquet)} (format parquet, compression zstd)`
    await lake.run('rows', { sql, rowsMax: 1 }, { signal })
    await blobs.put(checkpointKey(table, version), { file: parquet }, { ifAbsent: true })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  const last = { version, size: actions.length }
  await blobs.put(lastCheckpointKey(table), new TextEncoder().encode(JSON.stringify(last)))
}

/** The version of the last checkpoint; undefined where there is none. */
export async function lastCheckpoint(blobs: Pick<Blobs, 'get'>, table: LakeTableName): Promise<number | undefined> {
  const bytes = await blobs.get(lastCheckpointKey(table))
  if (bytes === undefined) return undefined
  const { version } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { version?: unknown }
  return typeof version === 'number' ? version : undefined
}
