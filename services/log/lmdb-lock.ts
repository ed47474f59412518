/** One writer per folder: a lock that the kernel holds, and a note that says who has it. */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Problem } from '#services/problem.ts'

const SQLITE_BUSY = 5

/** Who holds a folder. */
interface Holder {
  readonly pid: number
  readonly since: string
}

async function holderOf(folder: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, 'holder.json'), 'utf8')) as Holder
  } catch {
    return undefined
  }
}

/**
 * Takes the right to write a folder until `release` is called or the process ends, however it ends.
 * Throws `store_in_use`, naming the process that has it.
 */
export async function lockFolder(folder: string, now: Date): Promise<{ release(): void }> {
  const database = new DatabaseSync(join(folder, 'writer.lock'), { timeout: 0 })
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error
    const holder = await holderOf(folder)
    const who = holder === undefined ? 'another process' : `process ${holder.pid} (since ${holder.since})`
    throw new Problem('store_in_use', `the log in ${folder} is in use by ${who}`, {
      hint: `talk to that server instead (STEPSTORE_URL), stop it${holder === undefined ? '' : ` (kill ${holder.pid})`}, or set another DATA_DIR`,
      details: holder === undefined ? {} : { pid: holder.pid },
    })
  }
  const note = join(folder, 'holder.json')
  await writeFile(`${note}.new`, JSON.stringify({ pid: process.pid, since: now.toISOString() } satisfies Holder))
  await rename(`${note}.new`, note)
  return { release: () => database.close() }
}
