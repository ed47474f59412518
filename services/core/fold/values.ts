/** Reads optional fields of event data, which the reader has checked already, into row values. */
import type { Data } from '#schemas/events/define.ts'

/** The most characters of a preview. */
const PREVIEW_CHARS_MAX = 280

export function textOrNull(data: Data, field: string): string | null {
  const value = data[field]
  return typeof value === 'string' ? value : null
}

export function numberOrNull(data: Data, field: string): number | null {
  const value = data[field]
  return typeof value === 'number' ? value : null
}

export function flagOrNull(data: Data, field: string): boolean | null {
  const value = data[field]
  return typeof value === 'boolean' ? value : null
}

/** The beginning of a text, never half of a surrogate pair. */
export function preview(text: string): string {
  if (text.length <= PREVIEW_CHARS_MAX) return text
  const beginning = text.slice(0, PREVIEW_CHARS_MAX).replace(/[\ud800-\udbff]$/, '')
  // A slice keeps the whole text in memory; one of a text that was put together keeps only that.
  return ` ${beginning}`.slice(1)
}

export function previewOrNull(data: Data, field: string): string | null {
  const value = textOrNull(data, field)
  return value === null ? null : preview(value)
}

/** A reward or a metric: a number, or one of the strings that stand for non-finite ones. */
export function real(value: unknown): number {
  return typeof value === 'number' ? value : Number(value)
}

export const earlier = (left: string | null, right: string): string => (left === null || right < left ? right : left)
export const later = (left: string | null, right: string): string => (left === null || right > left ? right : left)

/** The same counts with one more under `name`, names sorted, so that arrival order leaves no trace. */
export function countedUp(counts: unknown, name: string): Record<string, number> {
  const counted = { ...(counts as Record<string, number>) }
  if (Object.hasOwn(counted, name)) {
    counted[name] = (counted[name] ?? 0) + 1
    return counted
  }
  counted[name] = 1
  return Object.fromEntries(Object.entries(counted).sort(([left], [right]) => (left < right ? -1 : 1)))
}
