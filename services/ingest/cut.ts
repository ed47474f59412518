/** Cuts a body into the bytes of its events, without changing any. */
import { Problem } from '#services/problem.ts'

const NEWLINE = 10
const QUOTE = 34
const COMMA = 44
const SLASH = 92
const OPEN_LIST = 91
const CLOSE_LIST = 93
const OPEN_OBJECT = 123
const CLOSE_OBJECT = 125

const isSpace = (byte: number | undefined): boolean => byte === 32 || byte === 9 || byte === NEWLINE || byte === 13

/** The part of [from, to) without white space at its ends; empty where there is nothing else. */
function trimmed(body: Buffer, from: number, to: number): Buffer {
  let start = from
  let end = to
  while (start < end && isSpace(body[start])) start += 1
  while (end > start && isSpace(body[end - 1])) end -= 1
  return body.subarray(start, end)
}

/** The lines of newline-delimited JSON. Empty lines do not count; the last one may lack its newline. */
export function cutLines(body: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let from = 0; from < body.length;) {
    const newline = body.indexOf(NEWLINE, from)
    const to = newline < 0 ? body.length : newline
    const line = trimmed(body, from, to)
    if (line.length > 0) lines.push(line)
    from = to + 1
  }
  return lines
}

function badList(at: number, what: string): Problem {
  return new Problem('bad_body', `the body is not a JSON list of events: ${what} at byte ${at}`, {
    hint: 'send [event, event, …], or newline-delimited JSON as application/x-ndjson, where one bad event spoils no other',
  })
}

/** The position after the string that opens at `at`. */
function afterString(body: Buffer, at: number): number {
  for (let quote = body.indexOf(QUOTE, at + 1); quote >= 0; quote = body.indexOf(QUOTE, quote + 1)) {
    let slashes = 0
    while (body[quote - 1 - slashes] === SLASH) slashes += 1
    if (slashes % 2 === 0) return quote + 1
  }
  throw badList(at, 'a string without an end')
}

/** The position of the comma or bracket that ends the element which begins at `from`. */
function endOfElement(body: Buffer, from: number): number {
  let depth = 0
  let at = from
  while (at < body.length) {
    const byte = body[at]
    if (byte === QUOTE) {
      at = afterString(body, at)
      continue
    }
    if (depth === 0 && (byte === COMMA || byte === CLOSE_LIST)) return at
    if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth += 1
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth -= 1
    if (depth < 0) throw badList(at, 'a closing brace too many')
    at += 1
  }
  throw badList(at, 'the list has no end')
}

/** The elements of a JSON list, as they stand. Throws `bad_body` where they cannot be told apart. */
export function cutList(body: Buffer): Buffer[] {
  const text = trimmed(body, 0, body.length)
  if (text[0] !== OPEN_LIST) throw badList(0, 'no opening bracket')
  const elements: Buffer[] = []
  let at = 1
  for (;;) {
    const end = endOfElement(text, at)
    const element = trimmed(text, at, end)
    const last = text[end] === CLOSE_LIST
    if (element.length > 0) elements.push(element)
    else if (!last || elements.length > 0) throw badList(end, 'an element is missing')
    at = end + 1
    if (!last) continue
    if (at !== text.length) throw badList(at, 'something follows the list')
    return elements
  }
}
