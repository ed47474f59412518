/** What the system knows of processes (Linux): children, process groups, and who holds files of a folder. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Whether this system tells about processes the way that fault tests need. */
export const hasProc = process.platform === 'linux'

interface Seen {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly state: string
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

function look(pid: number): Seen | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold spaces.
    const [state = '', parent = '', group = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { pid, parent: Number(parent), group: Number(group), state }
  } catch {
    return undefined
  }
}

const isGone = ({ state }: Seen): boolean => state === 'Z' || state === 'X'

/** The living children of a process. */
export function childrenOf(pid: number): number[] {
  return pids().flatMap((one) => {
    const seen = look(one)
    return seen?.parent === pid && !isGone(seen) ? [one] : []
  })
}

/** The living processes of a group. */
export function membersOf(group: number): number[] {
  return pids().flatMap((one) => {
    const seen = look(one)
    return seen?.group === group && !isGone(seen) ? [one] : []
  })
}

/** Processes, this one apart, that have a file below `folder` open or mapped. */
export function holdersOf(folder: string): number[] {
  return pids().filter((pid) => pid !== process.pid && (opens(pid, folder) || maps(pid, folder)))
}

function opens(pid: number, folder: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`).startsWith(`${folder}/`))
  } catch {
    return false
  }
}

function maps(pid: number, folder: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/maps`, 'utf8').includes(` ${folder}/`)
  } catch {
    return false
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** Waits until `found` gives a value; throws with `what` after `ms`. */
export async function until<Value>(
  what: string,
  found: () => Value | undefined | Promise<Value | undefined>,
  ms = 25_000,
): Promise<Value> {
  const end = Date.now() + ms
  for (;;) {
    const value = await found()
    if (value !== undefined) return value
    if (Date.now() > end) throw new Error(`not in ${ms} ms: ${what}`)
    await sleep(10)
  }
}
