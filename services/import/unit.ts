/** What importers make of their input: units of events that belong together, or a fault with its place. */

/** How much of what an input held; the figures that `import` prints. */
export interface Tally {
  trajectories: number
  steps: number
  tool_calls: number
  items: number
  groups: number
  events: number
}

/** Events that are sent together and in order, such as those of one trajectory. */
export interface Unit {
  /** CloudEvents in structured JSON, one each. */
  readonly events: readonly Uint8Array[]
  readonly tally: Readonly<Tally>
  /** How many bytes of the input are read, this unit included. */
  readonly bytesRead: number
}

/** What could not be read, and where. The import goes on behind it. */
export interface Fault {
  readonly input: string
  /** The element of the array, or the line, from 0. */
  readonly index: number
  readonly byteOffset: number
  readonly message: string
}

/** One thing to import: `open` may be called more than once and gives the bytes from the start each time. */
export interface Input {
  /** For messages: the path, or `-`. */
  readonly name: string
  /** The size in bytes. */
  readonly bytes: number
  readonly open: () => AsyncIterable<Uint8Array>
}

export const noTally = (): Tally => ({ trajectories: 0, steps: 0, tool_calls: 0, items: 0, groups: 0, events: 0 })

/** Adds `more` to `sum`, in place. */
export function addTally(sum: Tally, more: Readonly<Tally>): void {
  for (const name of Object.keys(sum) as (keyof Tally)[]) sum[name] += more[name]
}

/** How many different names an import keeps in mind; beyond that, memory wins and counts of names stay where they are. */
export const NAMES_MAX = 1_000_000

/** Adds a name. True where it is new; past NAMES_MAX new names are not kept and answered with false. */
export function isNewName(names: Set<string>, name: string): boolean {
  if (names.has(name) || names.size >= NAMES_MAX) return false
  names.add(name)
  return true
}
