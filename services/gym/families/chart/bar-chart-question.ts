import { random } from '#services/gym/random.ts'
import { valueText } from './bar-chart.ts'
import type { BarChart } from './bar-chart.ts'
import type { SeedName } from '#services/gym/random.ts'

/** A question as data, so that a rule can answer it from any table of the chart. */
export type Query =
  | { readonly kind: 'value'; readonly label: string }
  | { readonly kind: 'largest' }
  | { readonly kind: 'smallest' }
  | { readonly kind: 'second'; readonly among: readonly string[] }
  | { readonly kind: 'difference'; readonly label: string; readonly other: string }
  | { readonly kind: 'count_above'; readonly threshold: number }
  | { readonly kind: 'compare'; readonly label: string; readonly other: string }

export type QueryKind = Query['kind']

/** A question in words, with the answers that count as right. */
export type Question = {
  readonly query: Query
  readonly text: string
  readonly answer: readonly string[]
  readonly answer_type: 'numeric' | 'text' | 'choice' | 'yes_no'
  /** Only for `choice`. */
  readonly choices?: readonly string[]
  /** Values are written on the bars where the question needs more than the eye can read off an axis. */
  readonly value_labels: boolean
}

/** A row of a chart's table. */
export type Row = { readonly label: string; readonly value: number }

export const queryKinds: readonly QueryKind[] = [
  'value',
  'largest',
  'difference',
  'count_above',
  'compare',
  'second',
  'smallest',
]

/** The seeded question of item `index` about its chart. Kinds go round: any 7 neighbours in a block have 7 kinds. */
export function barChartQuestion(seed: SeedName, index: number, chart: BarChart): Question {
  const block = Math.floor(index / queryKinds.length)
  const kind = random(seed, 'kinds', block).shuffle(queryKinds)[index % queryKinds.length] as QueryKind
  const query = seededQuery(kind, chart, random(seed, 'item', index, 'query'))
  const needed = kind === 'value' || kind === 'difference'
  const wording = random(seed, 'item', index, 'wording').pick(wordings(query, chart))
  const answered = solve(query, tableOf(chart), chart.topic.decimals)
  return {
    query,
    text: query.kind === 'second' ? `${wording} Choose one of: ${query.among.join(', ')}.` : wording,
    answer: [answered],
    answer_type: answerTypes[kind],
    ...(query.kind === 'second' ? { choices: query.among } : {}),
    value_labels: needed || random(seed, 'item', index, 'value labels').chance(0.5),
  }
}

/** The chart's rows in the order drawn. */
export function tableOf(chart: BarChart): Row[] {
  return chart.labels.map((label, place) => ({ label, value: chart.values[place] ?? Number.NaN }))
}

/** The answer that a table implies; on a wrongly read table it is the wrong answer one would give. '' where a row is missing. */
export function solve(query: Query, rows: readonly Row[], decimals: number): string {
  const falling = rows.toSorted((left, right) => right.value - left.value)
  const value = (label: string): number => rows.find((row) => row.label === label)?.value ?? Number.NaN
  switch (query.kind) {
    case 'value':
      return numberText(value(query.label), decimals)
    case 'largest':
      return falling[0]?.label ?? ''
    case 'smallest':
      return falling.at(-1)?.label ?? ''
    case 'second':
      return falling[1]?.label ?? ''
    case 'difference':
      return numberText(Math.abs(value(query.label) - value(query.other)), decimals)
    case 'count_above':
      return String(rows.filter((row) => row.value > query.threshold).length)
    case 'compare':
      return value(query.label) > value(query.other) ? 'yes' : 'no'
  }
}

const answerTypes: Record<QueryKind, Question['answer_type']> = {
  value: 'numeric',
  largest: 'text',
  smallest: 'text',
  second: 'choice',
  difference: 'numeric',
  count_above: 'numeric',
  compare: 'yes_no',
}

function numberText(value: number, decimals: number): string {
  return Number.isFinite(value) ? valueText(value, decimals) : ''
}

function seededQuery(kind: QueryKind, chart: BarChart, chance: ReturnType<typeof random>): Query {
  const [label = '', other = ''] = chance.shuffle(chart.labels)
  const falling = tableOf(chart).toSorted((left, right) => right.value - left.value)
  switch (kind) {
    case 'value':
      return { kind, label }
    case 'difference': {
      const value = (name: string): number => chart.values[chart.labels.indexOf(name)] ?? 0
      return value(label) > value(other) ? { kind, label, other } : { kind, label: other, other: label }
    }
    case 'compare':
      return { kind, label, other }
    case 'second': {
      const near = falling.slice(0, 4).map((row) => row.label)
      return { kind, among: chance.shuffle(near) }
    }
    case 'count_above':
      return { kind, threshold: clearThreshold(chart, chance) }
    case 'largest':
    case 'smallest':
      return { kind }
  }
}

/** A tick of the axis that no bar comes near; else the middle of a gap between two bars. */
function clearThreshold(chart: BarChart, chance: ReturnType<typeof random>): number {
  const rising = chart.values.toSorted((left, right) => left - right)
  const splits = (line: number): boolean => line > (rising[0] ?? 0) && line < (rising.at(-1) ?? 0)
  const ticks: number[] = []
  for (let tick = chart.axis.step; tick < chart.axis.max; tick += chart.axis.step) {
    const line = Number(tick.toPrecision(6))
    const clear = chart.values.every((value) => Math.abs(value - line) > 0.02 * chart.axis.max)
    if (clear && splits(line)) ticks.push(line)
  }
  if (ticks.length > 0) return chance.pick(ticks)
  const place = chance.int(1, rising.length)
  return Number((((rising[place - 1] ?? 0) + (rising[place] ?? 0)) / 2).toFixed(chart.topic.decimals))
}

function wordings(query: Query, chart: BarChart): string[] {
  const { noun, measure, unit } = chart.topic
  const inUnit = unit === '' || unit === noun ? '' : ` in ${unit === '%' ? 'percent' : unit}`
  switch (query.kind) {
    case 'value':
      return [
        `What is the ${measure} for ${query.label}${inUnit}?`,
        `How high is the bar for ${query.label}${inUnit}?`,
        `Read the ${measure} of ${query.label} off the chart.`,
      ]
    case 'largest':
      return [
        `Which ${noun} has the highest ${measure}?`,
        `Which ${noun} comes first by ${measure}?`,
        `Name the ${noun} with the longest bar.`,
      ]
    case 'smallest':
      return [
        `Which ${noun} has the lowest ${measure}?`,
        `Which ${noun} comes last by ${measure}?`,
        `Name the ${noun} with the shortest bar.`,
      ]
    case 'second':
      return [`Which ${noun} has the second highest ${measure}?`, `Which ${noun} is runner-up by ${measure}?`]
    case 'difference':
      return [
        `By how much is ${query.label} above ${query.other}${inUnit}?`,
        `What is the difference in ${measure} between ${query.label} and ${query.other}${inUnit}?`,
        `How much lower is ${query.other} than ${query.label}${inUnit}?`,
      ]
    case 'count_above': {
      const line = unit === '' || measure.includes(unit) ? `${query.threshold}` : `${query.threshold} ${unit}`
      return [`How many bars are above ${line}?`, `In how many cases is the ${measure} greater than ${line}?`]
    }
    case 'compare':
      return [
        `Is the ${measure} for ${query.label} higher than for ${query.other}?`,
        `Does ${query.label} have a longer bar than ${query.other}?`,
        `Is ${query.label} ahead of ${query.other} by ${measure}?`,
      ]
  }
}
