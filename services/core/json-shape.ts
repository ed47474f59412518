/** Faults that JSON.parse lets through: a key given twice, nesting without end, 1e400, half of a surrogate pair. */

/** The deepest nesting of objects and lists that an event may have. */
export const DEPTH_MAX = 64

/** What is wrong with a parsed JSON text, if anything. */
export type ShapeFault = 'too_deep' | 'not_finite' | 'duplicate_key' | 'lone_surrogate'

const TOO_DEEP = -1
const NOT_FINITE = -2

/** Counts keys of a parsed value, or gives one of the negative codes above. */
function countKeys(value: unknown, depth: number): number {
  if (typeof value === 'number') return Number.isFinite(value) ? 0 : NOT_FINITE
  if (typeof value !== 'object' || value === null) return 0
  if (depth > DEPTH_MAX) return TOO_DEEP
  let keys = 0
  if (Array.isArray(value)) {
    for (const item of value) {
      const inner = countKeys(item, depth + 1)
      if (inner < 0) return inner
      keys += inner
    }
    return keys
  }
  const fields = value as Record<string, unknown>
  for (const key in fields) {
    keys += 1
    const field = fields[key]
    if (typeof field !== 'string') {
      const inner = countKeys(field, depth + 1)
      if (inner < 0) return inner
      keys += inner
    }
  }
  return keys
}

/** Counts the keys that a JSON text really has, by going from quote to quote. */
function countKeysInText(text: string): number {
  let keys = 0
  let at = text.indexOf('"')
  while (at >= 0) {
    let end = text.indexOf('"', at + 1)
    while (end >= 0) {
      let slashes = 0
      while (text.charCodeAt(end - 1 - slashes) === 92) slashes += 1
      if (slashes % 2 === 0) break
      end = text.indexOf('"', end + 1)
    }
    if (end < 0) return keys
    let next = end + 1
    while (text.charCodeAt(next) <= 32) next += 1
    if (text.charCodeAt(next) === 58) keys += 1
    at = text.indexOf('"', end + 1)
  }
  return keys
}

function wellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(wellFormed)
  return Object.entries(value).every(([key, field]) => key.isWellFormed() && wellFormed(field))
}

/**
 * Counts quotes that stand before a colon and are not escaped. Each key has one; a string that begins with a colon has
 * one too. So the count is never too low. (Going from colon to colon takes half the time of going from quote to quote.)
 */
function countQuotesBeforeColons(text: string): number {
  let quotes = 0
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) {
    let before = at - 1
    while (text.charCodeAt(before) <= 32) before -= 1
    if (text.charCodeAt(before) !== 34) continue
    let slashes = 0
    while (text.charCodeAt(before - 1 - slashes) === 92) slashes += 1
    if (slashes % 2 === 0) quotes += 1
  }
  return quotes
}

/** The first fault of `text` and of the value it was parsed to, or undefined. */
export function shapeFault(text: string, value: unknown): ShapeFault | undefined {
  const keys = countKeys(value, 0)
  if (keys === TOO_DEEP) return 'too_deep'
  if (keys === NOT_FINITE) return 'not_finite'
  if (countQuotesBeforeColons(text) !== keys && countKeysInText(text) !== keys) return 'duplicate_key'
  if (text.includes('\\u') && !wellFormed(value)) return 'lone_surrogate'
  return undefined
}
