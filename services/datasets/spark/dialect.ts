/** What Spark SQL says in words of its own, with the settings that it comes with and in ANSI mode. */
import type { Dialect } from '#services/datasets/dialect.ts'
import { Problem } from '#services/problem.ts'

/**
 * Text as a literal. Spark reads escapes inside quotes, and before it parses a query it puts settings and environment in
 * for `${…}`, also inside of texts: a dollar sign is escaped, so that a name with one stays what it is.
 */
function sparkText(value: string): string {
  if (value.includes('\0')) throw new Problem('invalid_parameter', 'a text with a NUL character matches nothing')
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('$', '\\u0024')}'`
}

function sparkValue(value: string | number | boolean): string {
  if (typeof value === 'string') return sparkText(value)
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (!Number.isFinite(value)) throw new Problem('invalid_parameter', 'a number in a filter is finite')
  return Number.isSafeInteger(value) ? `CAST('${value}' AS BIGINT)` : `CAST('${value}' AS DOUBLE)`
}

const sparkName = (name: string): string => `\`${name.replaceAll('`', '``')}\``

export const SPARK: Dialect = {
  text: sparkText,
  value: sparkValue,
  name: sparkName,
  noText: 'CAST(NULL AS STRING)',
  keys: (json) => `json_object_keys(${json})`,
  hasAny: (list, values) => `arrays_overlap(${list}, array(${values.join(', ')}))`,
}

/** A table as a relation with these of its columns. The name is that of a view, which the session has to make. */
export const sparkTable = (table: string, columns: readonly string[]): string =>
  `(SELECT ${columns.map(sparkName).join(', ')} FROM ${sparkName(table)})`
