/** Conditions as SQL that is true or false, never null. */
import type { Condition, FilterValue } from './filters.ts'
import { sqlValue } from './sql.ts'

const SIGNS = { gte: '>=', lte: '<=', gt: '>', lt: '<' } as const

/** Whether an expression fits a condition; a null fits none. */
export function fits(expression: string, condition: Condition<FilterValue>): string {
  const list = (values: readonly FilterValue[]) => values.map(sqlValue).join(', ')
  const parts = [
    ...(condition.any.length > 0 ? [`${expression} IN (${list(condition.any)})`] : []),
    ...(condition.ne.length > 0 ? [`${expression} NOT IN (${list(condition.ne)})`] : []),
    ...(['gte', 'lte', 'gt', 'lt'] as const).flatMap((comparison) => {
      const value = condition[comparison]
      return value === undefined ? [] : [`${expression} ${SIGNS[comparison]} ${sqlValue(value)}`]
    }),
  ]
  return parts.length === 0 ? 'true' : `coalesce(${parts.join(' AND ')}, false)`
}
