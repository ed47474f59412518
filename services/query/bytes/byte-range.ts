/** Which bytes of an object an HTTP request asks for. */

/** The whole, a part as [start, end), or a range past the end. */
export type Asked =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly start: number; readonly end: number }
  | { readonly kind: 'past_end' }

const WHOLE: Asked = { kind: 'whole' }
const SINGLE = /^bytes=\s*(\d*)-(\d*)\s*$/i

/**
 * Reads a Range header for an object of `bytes` bytes with this ETag. One range of bytes is served; several at once,
 * another unit, one that cannot be read, or one whose If-Range names other bytes give the whole, as RFC 9110 allows. A
 * suffix longer than the object is all of it. An empty object is given whole, since no range can name nothing.
 */
export function askedBytes(range: string | null, ifRange: string | null, bytes: number, etag: string): Asked {
  if (range === null || (ifRange !== null && ifRange.trim() !== etag)) return WHOLE
  const found = SINGLE.exec(range)
  if (found === null) return WHOLE
  const [, first = '', last = ''] = found
  if (first === '' && last === '') return WHOLE
  if (first === '') {
    const length = Number(last)
    if (length === 0) return { kind: 'past_end' }
    return bytes === 0 ? WHOLE : { kind: 'part', start: Math.max(0, bytes - length), end: bytes }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return WHOLE
  if (start >= bytes) return { kind: 'past_end' }
  return { kind: 'part', start, end: last === '' ? bytes : Math.min(bytes, Number(last) + 1) }
}

/** Whether If-None-Match names the bytes: `*`, or a list with this ETag in it, weak or strong. */
export function namesBytes(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false
  return ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
