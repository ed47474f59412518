/** What the rows must be: the log folded again, in memory, one slice of keys of one partition at a time. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { hash } from 'node:crypto'
import { fold } from '#services/core/fold/fold.ts'
import { keysOf } from '#services/core/fold/keys.ts'
import { type Changes, FoldState } from '#services/core/fold/state.ts'
import type { Log, LogRecord } from '#services/log/log.ts'
import { judge } from '#services/core/judge.ts'

/** Records folded in one slice, so that memory stays bounded: about 1 KB a record at worst. */
const SLICE_RECORDS_MAX = 400_000
const READ = { recordsMax: 2000, bytesMax: 4 * 1024 * 1024 }

/** How many slices the records [0, end) of a partition are folded in. */
export function slicesOf(end: number): number {
  return Math.max(1, Math.ceil(end / SLICE_RECORDS_MAX))
}

function sliceOf(key: string, slices: number): number {
  return slices === 1 ? 0 : Number.parseInt(hash('md5', key, 'hex').slice(0, 8), 16) % slices
}

/** Reads the records of a partition in [from, to), in order. */
export async function* recordsOf(log: Log, partition: number, from: number, to: number): AsyncGenerator<LogRecord[]> {
  let next = from
  while (next < to) {
    const records = (await log.read(partition, next, READ)).filter((record) => record.offset < to)
    const last = records.at(-1)
    if (last === undefined) return
    yield records
    next = last.offset + 1
    await nextTurn()
  }
}

/**
 * Folds the records of `partition` in [0, end) whose key falls into `slice` of `slices`, and gives every row that they
 * make. Records of one key always fall into one slice, so that no row needs another slice.
 */
export async function expectedRows(
  log: Log,
  partition: number,
  end: number,
  slice: number,
  slices: number,
): Promise<Changes> {
  const state = new FoldState(partition)
  const partitionOf = (key: string) => log.partitionOf(key)
  for await (const records of recordsOf(log, partition, 0, end)) {
    for (const record of records) {
      if (sliceOf(record.key, slices) !== slice) continue
      const judged = judge(record, partitionOf)
      for (const [table, key] of keysOf(judged)) if (!state.knows(table, key)) state.load(table, key, null)
      fold(state, judged)
    }
  }
  return state.takeChanges()
}
