/** Values of an answer in JSON: numbers where they are exact, texts where JSON has no word for them. */
import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
} from '@duckdb/node-api'

/** The microseconds that a Date can hold, either side of 1970. */
const DATE_MICROS_MAX = 8_640_000_000_000_000_000n

/** An instant in RFC 3339 with microseconds; where the year is beyond what that can say, undefined. */
function instant(micros: bigint, zone: 'Z' | ''): string | undefined {
  if (micros > DATE_MICROS_MAX || micros < -DATE_MICROS_MAX) return undefined
  const part = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n
  const seconds = new Date(Number((micros - part) / 1000n)).toISOString().slice(0, -5)
  return `${seconds}.${String(part).padStart(6, '0')}${zone}`
}

/**
 * A value as JSON: BIGINT and DECIMAL as a number where that is exact, else as text; NaN and infinities as text; instants
 * in RFC 3339; BLOB in base64; a MAP as a list of {key, value}; other types as DuckDB writes them.
 */
export function jsonValue(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof DuckDBTimestampTZValue) return instant(value.micros, 'Z') ?? value.toString()
  if (value instanceof DuckDBTimestampValue) return instant(value.micros, '') ?? value.toString()
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('base64')
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(jsonValue)
  if (value instanceof DuckDBStructValue)
    return Object.fromEntries(Object.entries(value.entries).map(([name, field]) => [name, jsonValue(field)]))
  if (value instanceof DuckDBMapValue)
    return value.entries.map((entry) => ({ key: jsonValue(entry.key), value: jsonValue(entry.value) }))
  if (value instanceof DuckDBDecimalValue) {
    const text = value.toString()
    const number = Number(text)
    return String(number) === text.replace(/\.?0+$/, '') ? number : text
  }
  return (value as { toString(): string }).toString()
}
