/** One process at a time in a folder, where the files in it would be spoilt by two. */
import { linkSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Problem } from '#services/problem.ts'

interface Holder {
  readonly pid: number
  /** The start time of the process, so that another process with a re-used pid is not taken for the holder. */
  readonly started: string
  readonly program: string
}

/** The start time of a process in clock ticks since boot, or '' where the system does not tell. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold spaces; field 22 counts from behind it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  const started = startOf(holder.pid)
  return started === '' || holder.started === '' || started === holder.started
}

function holderOf(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder
  } catch {
    return undefined
  }
}

/** Puts our lock in place if there is none. True when it is ours. */
function take(file: string, holder: Holder): boolean {
  const own = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`
  writeFileSync(own, JSON.stringify(holder))
  try {
    // link fails where the name exists, and the content is there from the first instant.
    linkSync(own, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    unlinkSync(own)
  }
}

/** Removes the lock of a dead holder, unless somebody else put a living one there in between. */
function breakStale(file: string, stale: Holder | undefined): void {
  const aside = `${file}.stale.${process.pid}.${Math.random().toString(36).slice(2)}`
  try {
    renameSync(file, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const found = holderOf(aside)
  if (found !== undefined && isAlive(found) && (found.pid !== stale?.pid || found.started !== stale.started)) {
    linkSync(aside, file)
  }
  rmSync(aside, { force: true })
}

/**
 * Takes the lock of a folder, or throws `store_in_use` naming who holds it. A lock left by a process that is gone is
 * taken over. The returned function gives the lock back.
 */
export function lockFolder(folder: string, program: string): () => void {
  const file = join(folder, 'lock.json')
  const ours: Holder = { pid: process.pid, started: startOf(process.pid), program }
  for (let attempt = 0; attempt < 5; attempt++) {
    if (take(file, ours)) return () => rmSync(file, { force: true })
    const holder = holderOf(file)
    if (holder !== undefined && isAlive(holder)) throw heldBy(folder, holder)
    breakStale(file, holder)
  }
  throw new Problem('store_in_use', `the lock of ${folder} changes hands too fast to be taken`, { hint: 'try again' })
}

function heldBy(folder: string, holder: Holder): Problem {
  return new Problem('store_in_use', `${folder} is held by process ${holder.pid} (${holder.program})`, {
    hint: `talk to that server instead (STEPSTORE_URL), stop it (kill ${holder.pid}), or set another DATA_DIR`,
    details: { pid: holder.pid },
  })
}
