/** The records of a cut: each becomes a row of `events` and, where it was accepted, of the table of its type. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Row } from '#schemas/tables.ts'
import { readAgain, type ReadEvent } from '#services/core/event-reader.ts'
import { eventHash, naturalKey } from '#services/core/identity.ts'
import { instantFromMs } from '#services/core/instant.ts'
import { placeColumns } from '#services/core/lake-place.ts'
import { eachLakeRow } from '#services/core/lake-rows.ts'
import type { ByteRoom } from '#services/byte-room.ts'
import type { Log, LogRecord } from '#services/log/log.ts'
import { Problem } from '#services/problem.ts'
import type { JobContext, StageRequest } from './jobs.ts'
import type { Staging } from './staging.ts'

/** An event with the time at which the log appended it. */
export interface PlacedEvent {
  readonly event: ReadEvent
  readonly appendedAtMs: number
}

/** Events by place, as `partition:offset`. */
export type PlacedEvents = Map<string, PlacedEvent>

export const placeKey = (partition: number, offset: number): string => `${partition}:${offset}`

/** Few enough that statements which run meanwhile are not kept waiting for long (10 ms). */
const READ = { recordsMax: 2000, bytesMax: 8 * 1024 * 1024 }

/** Reads a record that was judged an event. Throws `corrupt` where it is none. */
export function eventOf(record: Pick<LogRecord, 'partition' | 'offset' | 'value' | 'headers'>): ReadEvent {
  try {
    return readAgain(record.value ?? new Uint8Array(), record.headers)
  } catch (error) {
    throw new Problem(
      'corrupt',
      `the record ${record.offset} of partition ${record.partition} was judged an event, but cannot be read as one`,
      { hint: 'run `npx stepstore rebuild store`', cause: error },
    )
  }
}

const idOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** Stages one record and gives the event in it, if it is one. */
function stageRecord(
  staging: Staging,
  record: LogRecord,
  appendedAt: string,
  verdict: Row<'verdicts'> | undefined,
  known: string | null | undefined,
): ReadEvent | undefined {
  const event = verdict?.verdict === 'unreadable' ? undefined : eventOf(record)
  const contentHash = event === undefined ? null : (known ?? eventHash(event.type, event.data))
  staging.add('events', {
    ...placeColumns({
      partition: record.partition,
      offset: record.offset,
      appendedAtMs: record.appendedAtMs,
      appendedAt,
    }),
    key: record.key,
    headers: JSON.stringify(record.headers),
    verdict: verdict?.verdict ?? 'accepted',
    code: verdict?.code ?? null,
    type: event?.type ?? null,
    natural_key: event === undefined ? null : naturalKey(event.type, event.data),
    content_hash: contentHash,
    run_id: idOf(event?.data['run_id']),
    trajectory_id: idOf(event?.data['trajectory_id']),
    raw: record.value,
  })
  if (event === undefined || contentHash === null || verdict !== undefined) return event
  const place = {
    partition: record.partition,
    offset: record.offset,
    appendedAtMs: record.appendedAtMs,
    appendedAt,
    contentHash,
  }
  eachLakeRow(event, place, (table, row) => staging.add(table, row))
  return event
}

/** Where records come from, and memory for them that is theirs alone. */
export interface RecordSource {
  readonly log: Log
  readonly room: ByteRoom
}

/** Stages every record in [from, to), and keeps the events that are no steps: rows that change are made of such. */
export async function stageRecords(
  { log, room }: RecordSource,
  staging: Staging,
  request: StageRequest,
  landmarks: PlacedEvents,
  context: JobContext,
): Promise<{ records: number; bytes: number }> {
  const verdicts = new Map(request.verdicts.map((verdict) => [placeKey(verdict.partition, verdict.offset), verdict]))
  let records = 0
  let bytes = 0
  let appended = { ms: 0, at: instantFromMs(0) }
  for (const [partition, end] of request.to) {
    const hashes = request.hashes.get(partition)
    let at = request.from.get(partition) ?? 0
    while (at < end) {
      context.signal.throwIfAborted()
      const batch = await log.read(partition, at, { ...READ, room })
      const last = batch.at(-1)
      if (last === undefined)
        throw new Problem(
          'corrupt',
          `the log holds nothing at offset ${at} of partition ${partition}, but the store has rows from there`,
          { hint: 'restart; the store is then compared with the log' },
        )
      for (const record of batch) {
        if (record.offset >= end) break
        const key = placeKey(partition, record.offset)
        if (record.appendedAtMs !== appended.ms)
          appended = { ms: record.appendedAtMs, at: instantFromMs(record.appendedAtMs) }
        const event = stageRecord(
          staging,
          record,
          appended.at,
          verdicts.get(key),
          hashes?.hashes[record.offset - hashes.from],
        )
        if (event !== undefined && event.type !== 'step.recorded')
          landmarks.set(key, { event, appendedAtMs: record.appendedAtMs })
        records += 1
        bytes += record.value?.length ?? 0
      }
      at = last.offset + 1
      // So that a cancelled job, or one whose parent is gone, ends here.
      await nextTurn()
    }
  }
  return { records, bytes }
}
