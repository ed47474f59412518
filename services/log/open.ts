/** Opens the log that the settings name. Adapters are loaded when they are needed. */
import type { Logger } from '#services/logger.ts'
import type { Log } from './log.ts'

/** Opens the log. Throws what the adapter throws: `partitions_changed`, `unavailable`, `newer_data`. */
export async function openLog(where: { readonly kind: 'lmdb'; readonly folder: string }, logger: Logger): Promise<Log> {
  const { lmdbLog } = await import('./lmdb.ts')
  return lmdbLog({ folder: where.folder, logger })
}
