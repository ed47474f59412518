import { bestSpan } from './table-math.ts'
import type { Table } from './chart.ts'

/** A question as data, so that one rule answers it from any table of the chart. `series` is '' where there is one. */
export type Query =
  | { readonly ask: 'is_extreme'; readonly which: Extreme; readonly a: string }
  | { readonly ask: 'is_more' | 'is_less'; readonly a: string; readonly b: string }
  | { readonly ask: 'is_median'; readonly a: string }
  | { readonly ask: 'do_cross'; readonly a: string; readonly b: string }
  | { readonly ask: 'value'; readonly a: string; readonly series: string }
  | { readonly ask: 'extreme'; readonly which: Extreme }
  | { readonly ask: 'second'; readonly which: Extreme }
  | { readonly ask: 'sum' | 'difference'; readonly a: string; readonly b: string }
  | { readonly ask: 'mean' }
  | { readonly ask: 'range' }
  | { readonly ask: 'count_above' | 'count_below'; readonly threshold: number; readonly series: string }
  | { readonly ask: 'count' }
  | { readonly ask: 'extreme_of_series'; readonly which: Extreme; readonly series: string }
  | { readonly ask: 'extreme_in_category'; readonly which: Extreme; readonly a: string }
  | { readonly ask: 'series_difference'; readonly a: string; readonly series: string; readonly other: string }
  | { readonly ask: 'series_total'; readonly which: Extreme }
  | { readonly ask: 'widest_gap'; readonly series: string; readonly other: string }
  | { readonly ask: 'count_series_ahead'; readonly series: string; readonly other: string }
  | { readonly ask: 'colour_of'; readonly a: string }
  | { readonly ask: 'value_of_colour'; readonly colour: string }
  | { readonly ask: 'name_of_colour'; readonly colour: string }

export type Extreme = 'highest' | 'lowest'

/** A table, and the colours of its categories or series where they are known. */
export type ColouredTable = Table & { readonly colours?: readonly { readonly of: string; readonly colour: string }[] }

/** What a query comes to: words, a number, or yes and no; null where the table does not tell. */
export type Solved = string | number | boolean | null

/** The answer that a table implies; on a wrongly read table it is the wrong answer one would give. */
export function solved(query: Query, table: ColouredTable): Solved {
  const own = table.values[0] ?? []
  switch (query.ask) {
    case 'is_extreme':
      return truth(indexOf(nameList(table), query.a), (place) => place === extremeOf(totals(table), query.which))
    case 'is_more':
      return compared(table, query.a, query.b, (a, b) => a > b)
    case 'is_less':
      return compared(table, query.a, query.b, (a, b) => a < b)
    case 'is_median':
      return truth(
        indexOf(table.categories, query.a),
        (place) => own.filter((value) => value < (own[place] ?? 0)).length === (own.length - 1) / 2,
      )
    case 'do_cross':
      return crossing(table, query.a, query.b)
    case 'value':
      return valueAt(table, query.a, query.series)
    case 'extreme':
      return table.categories[extremeOf(own, query.which)] ?? null
    case 'second':
      return secondOf(table, query.which)
    case 'sum':
      return pair(table, query.a, query.b, (a, b) => a + b)
    case 'difference':
      return pair(table, query.a, query.b, (a, b) => Math.abs(a - b))
    case 'mean':
      return own.length === 0 ? null : own.reduce((sum, value) => sum + value, 0) / own.length
    case 'range':
      return own.length === 0 ? null : Math.max(...own) - Math.min(...own)
    case 'count':
      return table.categories.length
    case 'count_above':
      return rowOf(table, query.series)?.filter((value) => value > query.threshold).length ?? null
    case 'count_below':
      return rowOf(table, query.series)?.filter((value) => value < query.threshold).length ?? null
    default:
      return solvedOfSeries(query, table)
  }
}

/** The place of a name in a list: the same but for case, or else the one with the fewest letters changed, at most a third. */
export function indexOf(names: readonly string[], wanted: string): number {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '')
  const exact = names.findIndex((name) => plain(name) === plain(wanted))
  if (exact >= 0) return exact
  const [place, changed] = bestSpan(names.map(plain), plain(wanted))
  return changed <= Math.max(1, wanted.length / 3) ? place : -1
}

type SeriesQuery = Extract<
  Query,
  {
    ask:
      | 'extreme_of_series'
      | 'extreme_in_category'
      | 'series_difference'
      | 'series_total'
      | 'widest_gap'
      | 'count_series_ahead'
      | 'colour_of'
      | 'value_of_colour'
      | 'name_of_colour'
  }
>

function solvedOfSeries(query: SeriesQuery, table: ColouredTable): Solved {
  switch (query.ask) {
    case 'extreme_of_series':
      return table.categories[extremeOf(rowOf(table, query.series) ?? [], query.which)] ?? null
    case 'extreme_in_category': {
      const place = indexOf(table.categories, query.a)
      const column = table.values.map((row) => row[place] ?? Number.NaN)
      return place < 0 ? null : (table.series[extremeOf(column, query.which)] ?? null)
    }
    case 'series_difference': {
      const [one, two] = [valueAt(table, query.a, query.series), valueAt(table, query.a, query.other)]
      return one === null || two === null ? null : Math.abs(one - two)
    }
    case 'series_total':
      return (
        table.series[
          extremeOf(
            table.values.map((row) => row.reduce((sum, value) => sum + value, 0)),
            query.which,
          )
        ] ?? null
      )
    case 'widest_gap': {
      const gaps = gapsOf(table, query.series, query.other)?.map(Math.abs)
      return gaps === undefined ? null : (table.categories[extremeOf(gaps, 'highest')] ?? null)
    }
    case 'count_series_ahead':
      return gapsOf(table, query.series, query.other)?.filter((gap) => gap > 0).length ?? null
    case 'colour_of': {
      const place = indexOf(table.colours?.map((each) => each.of) ?? [], query.a)
      return table.colours?.[place]?.colour ?? null
    }
    case 'name_of_colour':
      return table.colours?.find(({ colour }) => colour === query.colour)?.of ?? null
    case 'value_of_colour': {
      const name = table.colours?.find(({ colour }) => colour === query.colour)?.of
      return name === undefined ? null : valueAt(table, name, '')
    }
  }
}

/** The places of the values that a query rests on, as [series, category]; all of them where it looks at all. */
export function placesOf(query: Query, table: Table): readonly (readonly [series: number, category: number])[] {
  const categories = ['a' in query ? query.a : '', 'b' in query ? query.b : ''].flatMap((name) =>
    name === '' ? [] : [table.categories.indexOf(name)],
  )
  const series = [
    'series' in query ? query.series : '',
    'other' in query ? query.other : '',
    'a' in query && table.series.includes(query.a) ? query.a : '',
    'b' in query && table.series.includes(query.b) ? query.b : '',
  ].flatMap((name) => (name === '' ? [] : [table.series.indexOf(name)]))
  const looksAtAll = ['is_extreme', 'is_median', 'value_of_colour', 'name_of_colour'].includes(query.ask)
  return table.values.flatMap((row, s) =>
    row.flatMap((_, c): (readonly [number, number])[] => {
      const known = categories.filter((place) => place >= 0)
      const inCategory = looksAtAll || known.length === 0 || known.includes(c)
      return inCategory && (looksAtAll || series.length === 0 || series.includes(s)) ? [[s, c]] : []
    }),
  )
}

function nameList(table: Table): readonly string[] {
  return table.series.length > 1 ? table.series : table.categories
}

/** Values by name: of the categories, or the sums of the series where there are several. */
function totals(table: Table): readonly number[] {
  if (table.series.length <= 1) return table.values[0] ?? []
  return table.values.map((row) => row.reduce((sum, value) => sum + value, 0))
}

function valueAt(table: Table, category: string, series: string): number | null {
  return rowOf(table, series)?.[indexOf(table.categories, category)] ?? null
}

function rowOf(table: Table, series: string): readonly number[] | undefined {
  return table.series.length === 1 || series === '' ? table.values[0] : table.values[indexOf(table.series, series)]
}

function pair(table: Table, a: string, b: string, of: (a: number, b: number) => number): number | null {
  const [one, two] = [valueAt(table, a, ''), valueAt(table, b, '')]
  return one === null || two === null ? null : of(one, two)
}

function compared(table: Table, a: string, b: string, of: (a: number, b: number) => boolean): boolean | null {
  const values = totals(table)
  const [one, two] = [values[indexOf(nameList(table), a)], values[indexOf(nameList(table), b)]]
  return one === undefined || two === undefined ? null : of(one, two)
}

function truth(place: number, of: (place: number) => boolean): boolean | null {
  return place < 0 ? null : of(place)
}

function crossing(table: Table, a: string, b: string): boolean | null {
  const gaps = gapsOf(table, a, b)
  return gaps === undefined ? null : gaps.some((gap) => gap > 0) && gaps.some((gap) => gap < 0)
}

function gapsOf(table: Table, a: string, b: string): number[] | undefined {
  const [one, two] = [rowOf(table, a), rowOf(table, b)]
  return one === undefined || two === undefined
    ? undefined
    : one.map((value, place) => value - (two[place] ?? Number.NaN))
}

function secondOf(table: Table, which: Extreme): string | null {
  const own = table.values[0] ?? []
  const rest = own.map((value, place) => (place === extremeOf(own, which) ? Number.NaN : value))
  return table.categories[extremeOf(rest, which)] ?? null
}

function extremeOf(values: readonly number[], which: Extreme): number {
  let best = -1
  for (const [place, value] of values.entries()) {
    const known = values[best]
    if (Number.isNaN(value)) continue
    if (known === undefined || (which === 'highest' ? value > known : value < known)) best = place
  }
  return best
}
