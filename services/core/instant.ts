/** Instants as text: RFC 3339 in UTC with microseconds, so that they sort as strings and fit Postgres and Parquet. */

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):(\d\d))$/

/** The minute that was checked last: events come in bursts of the same minute, and the check by Date costs 3 µs. */
let checkedMinute = ''

const isDigit = (code: number) => code >= 48 && code <= 57

/** A UTC instant of the minute that was checked last, or undefined where it is not clearly one. */
function sameMinute(given: string): string | undefined {
  const { length } = given
  if (length < 20 || length > 30 || checkedMinute === '' || !given.startsWith(checkedMinute)) return undefined
  if (given.charCodeAt(length - 1) !== 90) return undefined
  const tens = given.charCodeAt(17)
  if (tens < 48 || tens > 53 || !isDigit(given.charCodeAt(18))) return undefined
  if (length === 20) return `${given.slice(0, 19)}.000000Z`
  if (given.charCodeAt(19) !== 46 || length < 22) return undefined
  for (let at = 20; at < length - 1; at++) if (!isDigit(given.charCodeAt(at))) return undefined
  return `${given.slice(0, 19)}.${given.slice(20, Math.min(length - 1, 26)).padEnd(6, '0')}Z`
}

/**
 * An RFC 3339 text as `YYYY-MM-DDTHH:MM:SS.ffffffZ`, digits past microseconds cut off.
 * Undefined where it is no RFC 3339 instant or lies outside the years 1 to 9999 (in UTC).
 */
export function normaliseInstant(given: string): string | undefined {
  const quick = sameMinute(given)
  if (quick !== undefined) return quick
  const match = RFC3339.exec(given)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', , sign, offsetHours = '0', offsetMinutes = '0'] =
    match
  const whole = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  const wholeMs = Date.parse(`${whole}.000Z`)
  // Date.parse takes 30 February for 1 March; the round trip finds it out.
  if (Number.isNaN(wholeMs) || new Date(wholeMs).toISOString().slice(0, 19) !== whole) return undefined
  if (Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return undefined
  const shiftMs = (sign === '-' ? 1 : -1) * (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000
  const utcMs = sign === undefined ? wholeMs : wholeMs + shiftMs
  const utc = new Date(utcMs).toISOString()
  if (utc.length !== 24 || utc.startsWith('0000')) return undefined
  checkedMinute = utc.slice(0, 17)
  return `${utc.slice(0, 19)}.${fraction.slice(0, 6).padEnd(6, '0')}Z`
}

/** The instant that was written last: records of one append have the same, and writing it costs 1 µs. */
let written = { ms: 0, text: '1970-01-01T00:00:00.000000Z' }

/** Milliseconds since 1970 as the same kind of text. */
export function instantFromMs(ms: number): string {
  if (written.ms !== ms) written = { ms, text: `${new Date(ms).toISOString().slice(0, 23)}000Z` }
  return written.text
}
