/** Conditions as SQL that is true or false, never null. */
import { DUCKDB, type Dialect } from './dialect.ts'
import { FILTERS, type Condition, type Conditions, type Filter, type FilterName, type FilterValue } from './filters.ts'

const SIGNS = { gte: '>=', lte: '<=', gt: '>', lt: '<' } as const

/** Whether an expression fits a condition; a null fits none. */
export function fits(
  expression: string,
  condition: Condition<FilterValue>,
  { value: literal }: Dialect = DUCKDB,
): string {
  const list = (values: readonly FilterValue[]) => values.map(literal).join(', ')
  const parts = [
    ...(condition.any.length > 0 ? [`${expression} IN (${list(condition.any)})`] : []),
    ...(condition.ne.length > 0 ? [`${expression} NOT IN (${list(condition.ne)})`] : []),
    ...(['gte', 'lte', 'gt', 'lt'] as const).flatMap((comparison) => {
      const value = condition[comparison]
      return value === undefined ? [] : [`${expression} ${SIGNS[comparison]} ${literal(value)}`]
    }),
  ]
  return parts.length === 0 ? 'true' : `coalesce(${parts.join(' AND ')}, false)`
}

/** Whether a row fits what a request asks of one filter; with no condition it does. */
export function fitsFilter(name: FilterName, conditions: Conditions, dialect: Dialect = DUCKDB): string {
  const condition = conditions[name]
  if (condition === undefined) return 'true'
  const { sql, of, holds }: Filter = FILTERS[name]
  const looksAt = of === 'keys' ? dialect.keys(sql) : sql
  const values = condition.any.map(dialect.value)
  if (holds === 'has') return `coalesce(${dialect.hasAny(looksAt, values)}, false)`
  if (holds === 'is_not') return `coalesce(${looksAt} NOT IN (${values.join(', ')}), true)`
  return fits(looksAt, condition, dialect)
}
