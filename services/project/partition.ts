/** Folds one partition: reads a batch, judges it, folds it, and commits rows and cursor together. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Judged } from '#services/core/fold/fact.ts'
import { fold } from '#services/core/fold/fold.ts'
import { type Changes, FoldState } from '#services/core/fold/state.ts'
import { type HashRange, RecentHashes } from '#services/core/recent-hashes.ts'
import type { ByteRoom } from '#services/byte-room.ts'
import type { Log, LogRecord } from '#services/log/log.ts'
import type { Store, StoreTransaction } from '#services/store/store.ts'
import { PROJECTION } from './doubt.ts'
import { judge, recordHash } from '#services/core/judge.ts'
import { loadFor } from './load.ts'
import { type Cursor, cursorMoved, moveCursor, writeChanges } from './write.ts'

/** The most records and bytes of a batch. */
export const BATCH = { recordsMax: 4000, bytesMax: 8 * 1024 * 1024 }
/** After so many records other work of the thread gets its turn. */
const TURN_RECORDS = 200
/** Trajectories kept in memory for each partition; each takes 3.4 KB with ten steps. Others are loaded when they are spoken of again. */
const TRAJECTORIES_MAX = 4_000
/** Content hashes kept for archive, whose next cut needs them: twice the records of a usual cut. */
const HASHES_MAX = 20_000

export interface PartitionOptions {
  readonly partition: number
  readonly log: Log
  readonly store: Store
  /** The epoch under which it was claimed; undefined takes the one that is there. */
  readonly epoch?: number
  /** Where batches lie while they are folded. Partitions that are prepared one after the other share it. */
  readonly room?: ByteRoom | undefined
}

/** What folding a batch gave. */
interface Folded {
  readonly changes: Changes
  readonly lastRecordHash: string
  readonly hashes: readonly (string | null)[]
}

/** A batch of a partition. */
export interface Batch {
  /** Where it begins. */
  readonly cursor: Cursor
  /** Where the next one begins. */
  readonly nextOffset: number
  /** How many records and bytes it took: none at the end of the log. */
  readonly records: number
  readonly bytes: number
  /** Whether it took as much as it may, so that more waits. */
  readonly full: boolean
  /** What is to be written; absent where it took nothing. */
  readonly folded?: Folded
}

export class PartitionFold {
  readonly partition: number
  readonly #options: PartitionOptions
  #cursor: Cursor | undefined
  #state: FoldState
  readonly #hashes = new RecentHashes(HASHES_MAX)

  constructor(options: PartitionOptions) {
    this.partition = options.partition
    this.#options = options
    this.#state = new FoldState(options.partition)
  }

  /** Reads the cursor afresh and forgets every row in memory: at the start, and after a failed commit. Throws `cursor_moved` where another owner has claimed it. */
  async seek(): Promise<Cursor> {
    const { store, partition, epoch = 1 } = this.#options
    this.#state = new FoldState(partition)
    await store.db
      .insertInto('cursors')
      .values({ projection: PROJECTION, partition, next_offset: 0, epoch, last_record_hash: null })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    const row = await store.db
      .selectFrom('cursors')
      .selectAll()
      .where('projection', '=', PROJECTION)
      .where('partition', '=', partition)
      .executeTakeFirstOrThrow()
    if (row.epoch !== (this.#options.epoch ?? row.epoch)) throw cursorMoved(PROJECTION, partition)
    this.#cursor = { partition, nextOffset: row.next_offset, epoch: row.epoch, lastRecordHash: row.last_record_hash }
    return this.#cursor
  }

  /** Folds the next batch and commits it by itself. */
  async step(): Promise<Batch> {
    const batch = await this.prepare()
    if (batch.records > 0) await commitTogether(this.#options.store, [{ fold: this, batch }])
    return batch
  }

  /** Reads the next batch and folds it in memory. It must be committed next, or forgotten. */
  async prepare(): Promise<Batch> {
    const cursor = this.#cursor ?? (await this.seek())
    const { log, room } = this.#options
    const records = await log.read(this.partition, cursor.nextOffset, { ...BATCH, room })
    const last = records.at(-1)
    if (last === undefined) return { cursor, nextOffset: cursor.nextOffset, records: 0, bytes: 0, full: false }
    try {
      const folded = await this.#fold(records, last)
      const bytes = records.reduce((sum, record) => sum + (record.value?.length ?? 0), 0)
      return {
        cursor,
        nextOffset: last.offset + 1,
        records: records.length,
        bytes,
        full: records.length >= BATCH.recordsMax || bytes >= BATCH.bytesMax / 2,
        folded,
      }
    } catch (error) {
      this.forget()
      throw error
    }
  }

  /** Forgets what is in memory: the next batch begins where the store says. */
  forget(): void {
    this.#cursor = undefined
  }

  /** Writes a batch that was prepared. */
  async write(transaction: StoreTransaction, { cursor, nextOffset, folded }: Batch): Promise<void> {
    if (folded === undefined) return
    await moveCursor(transaction, PROJECTION, cursor, nextOffset, folded.lastRecordHash)
    await writeChanges(transaction, this.partition, folded.changes)
  }

  /** Goes on behind a batch that is committed. */
  committed({ cursor, nextOffset, folded }: Batch): void {
    if (folded === undefined) return
    this.#cursor = { ...cursor, nextOffset, lastRecordHash: folded.lastRecordHash }
    this.#state.shrink(TRAJECTORIES_MAX)
    this.#hashes.add(cursor.nextOffset, folded.hashes)
  }

  /** The content hashes that are known of committed records in [from, to). */
  hashes(from: number, to: number): HashRange {
    return this.#hashes.range(from, to)
  }

  async #judge(records: readonly LogRecord[]): Promise<Judged[]> {
    const { log } = this.#options
    const partitionOf = (key: string) => log.partitionOf(key)
    const batch: Judged[] = []
    for (const record of records) {
      batch.push(judge(record, partitionOf))
      if (batch.length % TURN_RECORDS === 0) await nextTurn()
    }
    return batch
  }

  async #fold(records: readonly LogRecord[], last: LogRecord): Promise<Folded> {
    const { store, log } = this.#options
    const batch = await this.#judge(records)
    await loadFor(store.db, this.#state, batch)
    for (const judged of batch) fold(this.#state, judged)
    await forwardStrays(log, batch, records)
    return {
      changes: this.#state.takeChanges(),
      lastRecordHash: recordHash(last),
      hashes: batch.map((judged) => (judged.readable === true ? judged.contentHash : null)),
    }
  }
}

/** Commits batches of several partitions, each with its cursor, in one transaction: together or not at all. */
export async function commitTogether(
  store: Store,
  batches: readonly { readonly fold: PartitionFold; readonly batch: Batch }[],
): Promise<void> {
  try {
    await store.transaction(async (transaction) => {
      for (const { fold: each, batch } of batches) await each.write(transaction, batch)
    })
  } catch (error) {
    for (const { fold: each } of batches) each.forget()
    throw error
  }
  for (const { fold: each, batch } of batches) each.committed(batch)
}

/** Appends records that lie in the wrong partition to their own. Sent twice after a crash, they count once all the same. */
async function forwardStrays(log: Log, batch: readonly Judged[], records: readonly LogRecord[]): Promise<void> {
  const strays = batch.flatMap((judged, index) => {
    const value = records[index]?.value
    return judged.readable === 'elsewhere' && value !== null && value !== undefined
      ? [{ key: judged.partitionKey, headers: records[index]?.headers ?? {}, value }]
      : []
  })
  if (strays.length > 0) await log.append(strays)
}
