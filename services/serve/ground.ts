/** What every process stands on: the log, which it owns, and the blobs; and no offset given out twice. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Blobs } from '#services/blobs/blobs.ts'
import { openBlobs } from '#services/blobs/open.ts'
import type { Config } from '#services/config.ts'
import { newestRecord } from '#services/lake/catalog.ts'
import type { Log } from '#services/log/log.ts'
import { openLog, type OwnedLog } from '#services/log/open.ts'
import type { Logger } from '#services/logger.ts'
import { formatOffsets, includes, type Offsets, parseOffsets } from '#services/position.ts'
import { recordTopic } from './topic-record.ts'

export interface Ground {
  readonly log: OwnedLog
  readonly blobs: Blobs
  close(): Promise<void>
}

/** After a change of its leader a topic tells its end late. */
const LOOKS = { max: 15, everyMs: 1_000 }

/** The ends of the log, looked at up to `looksMax` times until they include what was seen. */
async function endsOf(log: Log, seen: Offsets, looksMax: number): Promise<Offsets> {
  for (let look = 1; ; look++) {
    const ends = new Map((await log.bounds()).map(({ end }, partition) => [partition, end]))
    if (includes(ends, seen) || look >= looksMax) return ends
    await sleep(LOOKS.everyMs)
  }
}

/**
 * Opens log and blobs. A log that holds less than the lake has seen (it was lost, or put back from an old copy) goes on behind
 * the lake's last offset, before anything is appended: what the lake knows under an offset stays true.
 */
export async function openGround(
  config: Config,
  options: { readonly logger: Logger; readonly clock: () => Date },
): Promise<Ground> {
  const log = await openLog(config.log, options)
  try {
    const blobs = await openBlobs(config.blobs, options.logger)
    const newest = await newestRecord(blobs)
    if (config.log.kind === 'kafka') await recordTopic(log, blobs, newest?.log_id)
    const seen = parseOffsets(newest?.cut ?? '')
    const ends = await endsOf(log, seen, config.log.kind === 'kafka' ? LOOKS.max : 1)
    if (!includes(ends, seen)) {
      options.logger('warn', 'the log holds less than the lake: going on behind it', {
        log: formatOffsets(ends),
        lake: formatOffsets(seen),
      })
      await log.continueAfter(seen)
    }
    return {
      log,
      blobs,
      close: async () => {
        await blobs.close()
        await log.close()
      },
    }
  } catch (error) {
    await log.close()
    throw error
  }
}
