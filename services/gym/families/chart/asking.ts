import { isShares, type Chart } from './chart.ts'
import { solved, type Extreme, type Query } from './query.ts'
import type { Random } from '#services/gym/random.ts'

/**
 * Puts a question about a chart, or null where none of the wanted sort is clear in it: values that are compared lie far
 * enough apart to be told by eye. `wanted` is the answer that a yes-no question should have.
 */
export type Asking = (chart: Chart, chance: Random, wanted: boolean) => Query | null

/** Share of the axis that two compared values are apart at least. */
const apart = 0.03
/** Share of the axis that a read difference comes to at least, so that its reading is good to its tolerance. */
const readable = 0.2

export const yesNo: Asking = (chart, chance, wanted) => {
  if (chart.form === 'lines') return crossing(chart, chance, wanted)
  const [a = '', b = ''] = chance.shuffle(chart.categories)
  const which = extreme(chance)
  const odd = chart.categories.length % 2 === 1 && !isShares(chart.form)
  const asks = ['is_extreme', 'is_more', 'is_less', ...(odd ? ['is_median'] : [])] as const
  const ask = chance.pick(asks)
  if (ask === 'is_more' || ask === 'is_less') {
    const query: Query = { ask, a, b }
    return solved(query, chart) === wanted ? query : { ask, a: b, b: a }
  }
  const of = (name: string): Query => (ask === 'is_extreme' ? { ask, which, a: name } : { ask: 'is_median', a: name })
  const names = chance.shuffle(chart.categories).filter((name) => solved(of(name), chart) === wanted)
  return names[0] === undefined ? null : of(names[0])
}

export const values: Asking = (chart, chance) => {
  const which = extreme(chance)
  switch (chance.pick(['value', 'value', 'extreme', 'second'] as const)) {
    case 'value': {
      const a = chance.pick(chart.categories)
      return (chart.values[0]?.[chart.categories.indexOf(a)] ?? 0) < 0.1 * chart.axis.max
        ? null
        : { ask: 'value', a, series: '' }
    }
    case 'extreme':
      return { ask: 'extreme', which }
    case 'second':
      return { ask: 'second', which }
  }
}

export const arithmetic: Asking = (chart, chance) => {
  const [a = '', b = ''] = chance.shuffle(chart.categories)
  const ask = chance.pick(['sum', 'difference', 'mean', 'range'] as const)
  const query: Query = ask === 'sum' || ask === 'difference' ? { ask, a, b } : { ask }
  const least = ask === 'difference' || ask === 'range' ? readable : 0.1
  return Number(solved(query, chart)) < least * highest(chart) ? null : query
}

export const counting: Asking = (chart, chance) => {
  if (chance.chance(0.15)) return { ask: 'count' }
  const series = chart.series.length > 1 ? chance.pick(chart.series) : ''
  const row = chart.values[series === '' ? 0 : chart.series.indexOf(series)] ?? []
  const step = chart.axis.step / 2
  const clear = Array.from({ length: Math.round(chart.axis.max / step) - 1 }, (_, place) =>
    Number(((place + 1) * step).toPrecision(6)),
  ).filter((line) => row.every((value) => Math.abs(value - line) >= apart * chart.axis.max))
  if (clear.length === 0) return null
  return { ask: chance.pick(['count_above', 'count_below'] as const), threshold: chance.pick(clear), series }
}

export const series: Asking = (chart, chance) => {
  const [one = '', other = ''] = chance.shuffle(chart.series)
  const a = chance.pick(chart.categories)
  const which = extreme(chance)
  const query: Query = chance.pick<Query>([
    { ask: 'value', a, series: one },
    { ask: 'extreme_of_series', which, series: one },
    { ask: 'extreme_in_category', which, a },
    { ask: 'series_difference', a, series: one, other },
    { ask: 'series_total', which },
    { ask: 'widest_gap', series: one, other },
    { ask: 'count_series_ahead', series: one, other },
  ])
  return isClear(query, chart) ? query : null
}

export const shares: Asking = (chart, chance) => {
  const [a = '', b = ''] = chance.shuffle(chart.categories)
  const which = extreme(chance)
  const query: Query = chance.pick<Query>([
    { ask: 'value', a, series: '' },
    { ask: 'extreme', which },
    { ask: 'second', which },
    { ask: 'sum', a, b },
    { ask: 'difference', a, b },
  ])
  if (query.ask === 'difference' && Number(solved(query, chart)) < 10) return null
  return query
}

export const colours: Asking = (chart, chance) => {
  if (!chart.look.many_colours) return null
  const place = chance.int(0, chart.categories.length)
  const colour = chart.look.paints[place]?.name ?? ''
  const ask = chance.pick(['colour_of', 'value_of_colour', 'name_of_colour'] as const)
  if (ask === 'colour_of') return { ask, a: chart.categories[place] ?? '' }
  const value = chart.values[0]?.[place] ?? 0
  return ask === 'value_of_colour' && value < 0.1 * highest(chart) ? null : { ask, colour }
}

function crossing(chart: Chart, chance: Random, wanted: boolean): Query | null {
  for (const a of chance.shuffle(chart.series)) {
    for (const b of chance.shuffle(chart.series)) {
      const query = { ask: 'do_cross', a, b } as const
      if (
        a !== b &&
        gaps(chart, a, b).every((gap) => Math.abs(gap) >= apart * chart.axis.max) &&
        solved(query, chart) === wanted
      )
        return query
    }
  }
  return null
}

/** Whether the best and the next are far enough apart, and a read difference large enough. */
function isClear(query: Query, chart: Chart): boolean {
  const row = (name: string): readonly number[] => chart.values[chart.series.indexOf(name)] ?? []
  const clear = apart * chart.axis.max
  switch (query.ask) {
    case 'value':
      return (row(query.series)[chart.categories.indexOf(query.a)] ?? 0) >= 0.1 * chart.axis.max
    case 'extreme_of_series':
      return margin(row(query.series), query.which) >= clear
    case 'extreme_in_category':
      return (
        margin(
          chart.values.map((each) => each[chart.categories.indexOf(query.a)] ?? 0),
          query.which,
        ) >= clear
      )
    case 'series_difference':
      return Number(solved(query, chart)) >= readable * chart.axis.max
    case 'series_total': {
      const sums = chart.values.map((each) => each.reduce((sum, value) => sum + value, 0))
      return margin(sums, query.which) >= 0.04 * Math.max(...sums)
    }
    case 'widest_gap':
      return margin(gaps(chart, query.series, query.other).map(Math.abs), 'highest') >= 1.5 * clear
    case 'count_series_ahead':
      return gaps(chart, query.series, query.other).every((gap) => Math.abs(gap) >= clear)
    default:
      return true
  }
}

function gaps(chart: Chart, a: string, b: string): number[] {
  const [one = [], two = []] = [chart.values[chart.series.indexOf(a)], chart.values[chart.series.indexOf(b)]]
  return one.map((value, place) => value - (two[place] ?? 0))
}

function margin(list: readonly number[], which: Extreme): number {
  const sorted = list.toSorted((a, b) => (which === 'highest' ? b - a : a - b))
  return Math.abs((sorted[0] ?? 0) - (sorted[1] ?? 0))
}

function highest(chart: Chart): number {
  return isShares(chart.form) ? 100 : chart.axis.max
}

function extreme(chance: Random): Extreme {
  return chance.pick(['highest', 'lowest'] as const)
}
