/** One process at a time in a folder that two would spoil: a lock that the kernel holds, and a note that says who has it. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Problem } from '#services/problem.ts'

const SQLITE_BUSY = 5

/** Who holds a folder. */
interface Holder {
  readonly pid: number
  readonly since: string
}

function holderOf(folder: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'holder.json'), 'utf8')) as Holder
  } catch {
    return undefined
  }
}

function inUse(folder: string): Problem {
  const holder = holderOf(folder)
  const who = holder === undefined ? 'another process' : `process ${holder.pid} (since ${holder.since})`
  const stop = holder === undefined ? 'stop it' : `stop it (kill ${holder.pid})`
  return new Problem('store_in_use', `${folder} is in use by ${who}`, {
    hint: `talk to that server instead (STEPSTORE_URL), ${stop}, or set another DATA_DIR`,
    details: holder === undefined ? {} : { pid: holder.pid },
  })
}

/**
 * Takes the right to write a folder, which is made where it is missing, until the returned function is called or the
 * process ends, however it ends: SQLite's exclusive lock is one of the kernel's, so nothing stale can stay behind, and a
 * pid that is in use again deceives nobody. Throws `store_in_use`, naming the process that has it.
 */
export function lockFolder(folder: string, now: Date): () => void {
  mkdirSync(folder, { recursive: true })
  const database = new DatabaseSync(join(folder, 'writer.lock'), { timeout: 0 })
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    throw (error as { errcode?: number }).errcode === SQLITE_BUSY ? inUse(folder) : error
  }
  const note = join(folder, 'holder.json')
  writeFileSync(`${note}.new`, JSON.stringify({ pid: process.pid, since: now.toISOString() } satisfies Holder))
  renameSync(`${note}.new`, note)
  return () => database.close()
}
