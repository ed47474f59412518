/** Instants as text: RFC 3339 in UTC with microseconds, so that they sort as strings and fit Postgres and Parquet. */

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):(\d\d))$/

/**
 * An RFC 3339 text as `YYYY-MM-DDTHH:MM:SS.ffffffZ`, digits past microseconds cut off.
 * Undefined where it is no RFC 3339 instant or lies outside the years 1 to 9999 (in UTC).
 */
export function normaliseInstant(given: string): string | undefined {
  const match = RFC3339.exec(given)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', , sign, offsetHours = '0', offsetMinutes = '0'] = match
  const whole = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  const wholeMs = Date.parse(`${whole}.000Z`)
  // Date.parse takes 30 February for 1 March; the round trip finds it out.
  if (Number.isNaN(wholeMs) || new Date(wholeMs).toISOString().slice(0, 19) !== whole) return undefined
  if (Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return undefined
  const shiftMs = (sign === '-' ? 1 : -1) * (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000
  const utcMs = sign === undefined ? wholeMs : wholeMs + shiftMs
  const utc = new Date(utcMs).toISOString()
  if (utc.length !== 24 || utc.startsWith('0000')) return undefined
  return `${utc.slice(0, 19)}.${fraction.slice(0, 6).padEnd(6, '0')}Z`
}

/** Milliseconds since 1970 as the same kind of text. */
export function instantFromMs(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`
}
