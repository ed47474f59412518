/** Values and names as SQL text. Nothing else in this folder puts what a caller sent into SQL. */
import { Problem } from '#services/problem.ts'

/** Text as a SQL literal. DuckDB knows no escapes inside quotes but the doubled quote. Throws on NUL, which ends a query. */
export function sqlText(value: string): string {
  if (value.includes('\0')) throw new Problem('invalid_parameter', 'a text with a NUL character matches nothing')
  return `'${value.replaceAll("'", "''")}'`
}

/** A value as a SQL literal of its own type. */
export function sqlValue(value: string | number | boolean): string {
  if (typeof value === 'string') return sqlText(value)
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (!Number.isFinite(value)) throw new Problem('invalid_parameter', 'a number in a filter is finite')
  // A bare number with a point is a DECIMAL to DuckDB, and the way from there to a double loses the last bit.
  return Number.isSafeInteger(value) ? `'${value}'::BIGINT` : `'${value}'::DOUBLE`
}

/** A name as a quoted identifier. */
export function sqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A list of texts. */
export function sqlTexts(values: readonly string[]): string {
  return `[${values.map(sqlText).join(', ')}]`
}
