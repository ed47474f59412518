/**
 * Room in the file of the log, made before LMDB writes into it. Where the disk is full this fails cleanly, while LMDB's
 * own report of a failed write runs past its buffer (lmdb 3.5.6, `mdb_page_flush`) and can end the process.
 */
import { open, type FileHandle } from 'node:fs/promises'

export interface Room {
  /** Makes sure that the file has blocks up to byte `end`. Throws what the system does where it cannot. */
  reserve(end: number): Promise<void>
  close(): Promise<void>
}

/** Zeros are written in steps of this size. Few enough that most are overwritten before they reach the disk. */
const STEP_BYTES = 1024 * 1024

/** Looks after the room in a file that exists. */
export async function roomIn(file: string): Promise<Room> {
  const handle: FileHandle = await open(file, 'r+')
  const zeros = Buffer.alloc(STEP_BYTES)
  let size = (await handle.stat()).size
  return {
    reserve: async (end) => {
      while (size < end) {
        // After a failure the file may be longer than we know; writing zeros over what LMDB wrote must never happen.
        size = Math.max(size, (await handle.stat()).size)
        if (size >= end) return
        size += (await handle.write(zeros, 0, STEP_BYTES, size)).bytesWritten
      }
    },
    close: () => handle.close(),
  }
}
