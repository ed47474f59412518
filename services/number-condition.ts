/** Conditions on a number, as queries state them. */

/** All of them must hold. `any` lists accepted values, empty for no such condition. */
export interface NumberCondition {
  readonly any: readonly number[]
  readonly ne: readonly number[]
  readonly gte: number | undefined
  readonly lte: number | undefined
  readonly gt: number | undefined
  readonly lt: number | undefined
}

/** The condition that everything meets. */
export const ANY_NUMBER: NumberCondition = {
  any: [],
  ne: [],
  gte: undefined,
  lte: undefined,
  gt: undefined,
  lt: undefined,
}

/** Whether anything is asked at all. */
export function asksNothing({ any, ne, gte, lte, gt, lt }: NumberCondition): boolean {
  return any.length === 0 && ne.length === 0 && [gte, lte, gt, lt].every((bound) => bound === undefined)
}

/** Whether a number meets a condition. NaN, which stands for none, meets only what asks nothing. */
export function meets(condition: NumberCondition, value: number): boolean {
  if (Number.isNaN(value)) return asksNothing(condition)
  const { any, ne, gte, lte, gt, lt } = condition
  return (
    (any.length === 0 || any.includes(value)) &&
    !ne.includes(value) &&
    (gte === undefined || value >= gte) &&
    (lte === undefined || value <= lte) &&
    (gt === undefined || value > gt) &&
    (lt === undefined || value < lt)
  )
}
