/** Opens the log that the settings name. Adapters are loaded when they are needed. */
import type { Logger } from '#services/logger.ts'
import type { Offsets } from '#services/position.ts'
import type { Log } from './log.ts'

/** Where a log lies. */
export interface LogPlace {
  readonly kind: 'lmdb'
  readonly folder: string
}

/** A log open for writing; it may be continued after offsets that a lost one gave out. */
export interface OwnedLog extends Log {
  continueAfter(offsets: Offsets): Promise<void>
}

/** How many partitions a log gets when it is made. It keeps its number for ever. */
const PARTITIONS = 4
/** Two bodies of the largest size may wait for the disk. */
const PENDING_BYTES_MAX = 128 * 1024 * 1024

/** Opens the log to write it. Throws what the adapter throws: `store_in_use`, `partitions_changed`, `newer_data`. */
export async function openLog(
  place: LogPlace,
  options: { readonly logger: Logger; readonly clock: () => Date },
): Promise<OwnedLog> {
  const { lmdbLog } = await import('./lmdb.ts')
  return lmdbLog({ folder: place.folder, partitions: PARTITIONS, pendingBytesMax: PENDING_BYTES_MAX, ...options })
}

/** Opens the log to read it beside its writer. Throws `unavailable` where there is none yet. */
export async function openLogReader(place: LogPlace): Promise<Log> {
  const { lmdbLogReader } = await import('./lmdb-reader.ts')
  return lmdbLogReader({ folder: place.folder })
}
