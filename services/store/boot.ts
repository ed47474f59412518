/** Whether files that are written without fsync can be trusted: only if the machine ran on, or they were closed well. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

interface Mark {
  readonly boot_id: string
  readonly closed_well: boolean
}

/** The id of this boot of the machine, or undefined where the system does not tell. */
export function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return undefined
  }
}

function fsyncPath(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function writeMark(folder: string, mark: Mark): void {
  const temporary = join(folder, 'mark.json.new')
  writeFileSync(temporary, JSON.stringify(mark))
  fsyncPath(temporary)
  renameSync(temporary, join(folder, 'mark.json'))
  fsyncPath(folder)
}

function readMark(folder: string): Mark | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'mark.json'), 'utf8')) as Mark
  } catch {
    return undefined
  }
}

/** Every file below a folder. */
function* filesBelow(folder: string): Generator<string> {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path)
    else if (entry.isFile()) yield path
  }
}

/** When a file was last written, in nanoseconds; compared for equality only, so that a clock that jumps does not matter. */
const writtenAt = (path: string): bigint => statSync(path, { bigint: true }).mtimeNs

/** The files that are durable as they are, with the time of their last write: those of a folder that was closed well. */
function durableFiles(folder: string, closedWell: boolean): Map<string, bigint> {
  return new Map(closedWell ? [...filesBelow(folder)].map((path) => [path, writtenAt(path)] as const) : [])
}

/** Makes everything in a folder durable that is not yet. A database has some thousand files and a session writes few. */
function fsyncTree(folder: string, durable: ReadonlyMap<string, bigint>): void {
  const folders = new Set<string>([folder])
  for (const path of filesBelow(folder)) {
    if (durable.get(path) === writtenAt(path)) continue
    fsyncPath(path)
    folders.add(dirname(path))
  }
  for (const path of folders) fsyncPath(path)
}

/** What was found when a folder was opened. */
export interface Opening {
  /** Why what was there could not be trusted and was removed; undefined where all is well or nothing was there. */
  readonly doubt: string | undefined
  /** Makes the folder durable and marks it as closed well. */
  readonly closeWell: () => void
}

/**
 * Opens a folder whose files are not fsynced while they are used (the data lie in `files` below it). Files of another boot
 * that were not closed well are removed: they may lack writes that were thought done.
 */
export function openUnsynced(folder: string, files: string, boot = bootId()): Opening {
  mkdirSync(folder, { recursive: true })
  const mark = readMark(folder)
  let doubt: string | undefined
  if (mark !== undefined && !mark.closed_well && (boot === undefined || mark.boot_id !== boot)) {
    doubt = 'the machine went down while the store was open'
    rmSync(join(folder, files), { recursive: true, force: true })
  }
  const durable = durableFiles(join(folder, files), mark?.closed_well === true)
  writeMark(folder, { boot_id: boot ?? 'unknown', closed_well: false })
  return {
    doubt,
    closeWell: () => {
      fsyncTree(join(folder, files), durable)
      writeMark(folder, { boot_id: boot ?? 'unknown', closed_well: true })
    },
  }
}

/** How a folder was left, looked at without touching it: `new`, `closed well`, `not closed` (fine while the machine runs on), `in doubt`. */
export function leftAs(folder: string, boot = bootId()): 'new' | 'closed well' | 'not closed' | 'in doubt' {
  const mark = readMark(folder)
  if (mark === undefined) return 'new'
  if (mark.closed_well) return 'closed well'
  return boot === undefined || mark.boot_id !== boot ? 'in doubt' : 'not closed'
}
