/** A place in the log: for each partition the next offset, and which log it is. */
import { Problem } from '#services/problem.ts'

/** Offsets by partition: everything below them is included. A partition that is left out counts as 0. */
export type Offsets = ReadonlyMap<number, number>

/** Offsets with the identity of their log. `log` is undefined in the plain form `0:123,3:45`. */
export interface Position {
  readonly log: string | undefined
  readonly offsets: Offsets
}

const PLAIN = /^\d{1,5}:\d{1,16}(,\d{1,5}:\d{1,16})*$/
const LOG_ID = /^[A-Za-z0-9-]{1,64}$/

/** Offsets as `0:123,3:45`, partitions ascending, zeros left out. */
export function formatOffsets(offsets: Offsets): string {
  return [...offsets]
    .filter(([, offset]) => offset > 0)
    .sort(([left], [right]) => left - right)
    .map(([partition, offset]) => `${partition}:${offset}`)
    .join(',')
}

/** The reverse of `formatOffsets`. Throws `invalid_parameter`. */
export function parseOffsets(text: string): Map<number, number> {
  if (text === '') return new Map()
  if (!PLAIN.test(text)) throw badPosition(text)
  return new Map(text.split(',').map((part) => part.split(':').map(Number) as [number, number]))
}

/** A position as an opaque token, safe in URLs and headers. */
export function formatPosition(log: string, offsets: Offsets): string {
  return Buffer.from(`1.${log}.${formatOffsets(offsets)}`).toString('base64url')
}

/** Reads a token or the plain form. Throws `invalid_parameter`. */
export function parsePosition(text: string): Position {
  if (PLAIN.test(text)) return { log: undefined, offsets: parseOffsets(text) }
  const [version, log, offsets, ...rest] = Buffer.from(text, 'base64url').toString('utf8').split('.')
  if (version !== '1' || log === undefined || offsets === undefined || rest.length > 0 || !LOG_ID.test(log))
    throw badPosition(text)
  return { log, offsets: parseOffsets(offsets) }
}

function badPosition(text: string): Problem {
  return new Problem('invalid_parameter', `not a position: ${JSON.stringify(text.slice(0, 80))}`, {
    hint: 'send a Stepstore-Position as it was given, the plain form 0:123,3:45, or latest',
  })
}

/** Whether `have` includes everything that `want` does. */
export function includes(have: Offsets, want: Offsets): boolean {
  for (const [partition, offset] of want) if ((have.get(partition) ?? 0) < offset) return false
  return true
}

/** Whether both say the same. */
export const isSamePlace = (left: Offsets, right: Offsets): boolean => includes(left, right) && includes(right, left)

/** The smallest offsets that include all of the given ones. */
export function union(...all: readonly Offsets[]): Map<number, number> {
  const merged = new Map<number, number>()
  for (const offsets of all) {
    for (const [partition, offset] of offsets) merged.set(partition, Math.max(merged.get(partition) ?? 0, offset))
  }
  return merged
}
