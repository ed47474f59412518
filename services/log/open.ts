/** Opens the log that the settings name. Adapters are loaded when they are needed. */
import { type Logger, silent } from '#services/logger.ts'
import { formatOffsets, type Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { Log } from './log.ts'

/** Where a log lies. */
export type LogPlace =
  | { readonly kind: 'lmdb'; readonly folder: string }
  /** `kafka://[user:password@]host:port[,host:port]/topic` */
  | { readonly kind: 'kafka'; readonly url: string }

/** A log open for writing; it may be continued after offsets that a lost one gave out. */
export interface OwnedLog extends Log {
  continueAfter(offsets: Offsets): Promise<void>
}

/** How many partitions a log gets when it is made. It keeps its number for ever. */
const PARTITIONS = 4
/** Two bodies of the largest size may wait for the disk. */
const PENDING_BYTES_MAX = 128 * 1024 * 1024

/** Opens the log to write it. Throws what the adapter throws: `store_in_use`, `partitions_changed`, `newer_data`, `unavailable`. */
export async function openLog(
  place: LogPlace,
  options: { readonly logger: Logger; readonly clock: () => Date },
): Promise<OwnedLog> {
  if (place.kind === 'kafka') {
    const log = await openKafka(place.url, options.logger)
    return { ...log, continueAfter: (offsets) => refuseToContinue(log, offsets) }
  }
  const { lmdbLog } = await import('./lmdb.ts')
  return lmdbLog({ folder: place.folder, partitions: PARTITIONS, pendingBytesMax: PENDING_BYTES_MAX, ...options })
}

/** Opens the log to read it beside its writer. Throws `unavailable` where there is none yet. */
export async function openLogReader(place: LogPlace): Promise<Log> {
  if (place.kind === 'kafka') return openKafka(place.url, silent)
  const { lmdbLogReader } = await import('./lmdb-reader.ts')
  return lmdbLogReader({ folder: place.folder })
}

async function openKafka(url: string, logger: Logger): Promise<Log> {
  const [{ kafkaLog }, { kafkaPlace }] = await Promise.all([import('./kafka.ts'), import('./kafka-url.ts')])
  return kafkaLog({ ...kafkaPlace(url), clientId: 'stepstore', pendingBytesMax: PENDING_BYTES_MAX, logger })
}

/** Kafka gives out the offsets, so a topic that holds less than the lake would give out some of them again. */
async function refuseToContinue(log: Log, offsets: Offsets): Promise<void> {
  const ends = new Map((await log.bounds()).map(({ end }, partition) => [partition, end]))
  throw new Problem(
    'corrupt',
    `the topic holds less than the lake has seen (${formatOffsets(ends) || 'nothing'}, and the lake ${formatOffsets(offsets)})`,
    {
      hint: 'it lost records or is another topic: begin a new one with a new prefix in BLOBS_URL, and `npx stepstore import` what the old lake holds',
    },
  )
}
