import { fontFamilies } from '#services/gym/picture/fonts.ts'
import { random, type Random } from '#services/gym/random.ts'
import { seededPage, seededPaints, type Page, type Paint } from './paints.ts'
import { banks, orderedBanks, topics, type Topic } from './topics.ts'
import type { ItemRequest } from '#services/gym/items/item.ts'

export const FORMS = [
  'bars',
  'horizontal_bars',
  'grouped_bars',
  'stacked_bars',
  'lines',
  'dots',
  'pie',
  'donut',
] as const
export type Form = (typeof FORMS)[number]

/** Rows of a chart: `values[series][category]`. A chart of one series has one name, that of its measure. */
export type Table = {
  readonly categories: readonly string[]
  readonly series: readonly string[]
  readonly values: readonly (readonly number[])[]
}

/** How a chart looks; never changes what it says. */
export type Look = {
  readonly width: number
  readonly height: number
  readonly family: string
  readonly page: Page
  /** Of each series; of each category where there is one series and `many_colours`, and in pies. */
  readonly paints: readonly Paint[]
  readonly many_colours: boolean
  readonly grid: 'solid' | 'dashed' | 'none'
  readonly frame: boolean
  readonly legend: 'right' | 'bottom' | 'top'
  readonly title_middle: boolean
  readonly axis_title: boolean
  readonly value_labels: boolean
  readonly thickness: number
  readonly corner: number
  readonly outlined: boolean
  readonly markers: boolean
  readonly text_size: number
  readonly specks: number
  readonly clutter: number
  /** Degrees clockwise from the top where the first slice begins. */
  readonly first_angle: number
}

/** A chart as data. */
export type Chart = Table & {
  readonly form: Form
  readonly topic: Topic
  readonly title: string
  readonly decimals: number
  readonly axis: { readonly max: number; readonly step: number }
  readonly look: Look
}

/** What a level asks of a chart. */
export type ChartLevel = {
  readonly forms: readonly Form[]
  readonly categories: readonly [from: number, to: number]
  readonly series: readonly [from: number, to: number]
  /** Share of the charts whose marks bear their values. */
  readonly labelled: number
  /** 0 to 1: specks, pale clutter and missing grid lines. */
  readonly noise: number
}

const shareForms: readonly Form[] = ['pie', 'donut']
const seriesForms: readonly Form[] = ['grouped_bars', 'stacked_bars', 'lines']

/** The seeded chart of an item. `purpose` keeps the charts of different kinds apart. */
export function seededChart(request: ItemRequest, purpose: string, level: ChartLevel): Chart {
  const stream = (name: string): Random =>
    random(request.seed, request.split, purpose, request.index, request.level, request.style, name)
  const words = stream('words')
  const form = words.pick(level.forms)
  // A pie divides a count among names.
  const topic = words.pick(
    topics.filter(
      (each) => !shareForms.includes(form) || (each.unit === '' && !orderedBanks.includes(each.categories)),
    ),
  )
  const bank = banks[topic.categories][request.split]
  const count = Math.min(bank.length, words.int(...level.categories))
  const categories = chosen(bank, count, orderedBanks.includes(topic.categories), words)
  const seriesCount = seriesForms.includes(form) ? words.int(...level.series) : 1
  const series =
    seriesCount === 1 ? [topic.measure] : words.shuffle(banks[topic.series][request.split]).slice(0, seriesCount)
  const numbers = stream('values')
  const values = shareForms.includes(form)
    ? [seededShares(count, numbers)]
    : series.map(() => seededValues(topic, count, numbers))
  const axis = niceAxis(highestOf(values, form))
  const title = words.chance(0.5)
    ? topic.title
    : `${topic.title}, ${words.pick(['survey', 'sample', 'report', 'study'])}`
  const decimals = shareForms.includes(form) ? 0 : topic.decimals
  const look = seededLook(request, level, form, Math.max(seriesCount, count), stream('layout'))
  return { form, topic, title, categories, series, values, decimals, axis, look }
}

/** Whether the values of the chart are shares of a whole, in percent. */
export function isShares(form: Form): boolean {
  return shareForms.includes(form)
}

function chosen(bank: readonly string[], count: number, ordered: boolean, chance: Random): string[] {
  if (!ordered) return chance.shuffle(bank).slice(0, count)
  const first = chance.int(0, bank.length - count + 1)
  return bank.slice(first, first + count)
}

/** Values at least 4 % of the highest apart, built from gaps: no draw is ever rejected. */
function seededValues(topic: Topic, count: number, chance: Random): number[] {
  const top = topic.highest * (0.6 + 0.4 * chance.next())
  const gap = 0.04 * top + 10 ** -topic.decimals
  const spare = Math.max(0, top - topic.lowest - gap * (count - 1))
  const shares = Array.from({ length: count }, () => 0.1 + chance.next())
  const total = shares.reduce((sum, share) => sum + share, 0)
  let value = topic.lowest - gap
  const rising = shares.map((share) => {
    value += gap + (share / total) * spare
    return Number(value.toFixed(topic.decimals))
  })
  return chance.shuffle(rising)
}

/** Whole percents that sum to 100, each at least 4, any two at least 2 apart. */
function seededShares(count: number, chance: Random): number[] {
  const least = Array.from({ length: count }, (_, rank) => 4 + 2 * rank)
  const spare = 100 - least.reduce((sum, share) => sum + share, 0)
  const weights = Array.from({ length: count }, () => 0.05 + chance.next()).toSorted((left, right) => left - right)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const rising = least.map((share, rank) => share + Math.floor((spare * (weights[rank] ?? 0)) / total))
  const rest = 100 - rising.reduce((sum, share) => sum + share, 0)
  rising[count - 1] = (rising[count - 1] ?? 0) + rest
  return chance.shuffle(rising)
}

function highestOf(values: readonly (readonly number[])[], form: Form): number {
  if (form !== 'stacked_bars') return Math.max(...values.flat())
  return Math.max(...(values[0] ?? []).map((_, place) => values.reduce((sum, row) => sum + (row[place] ?? 0), 0)))
}

/** Round steps with 4 to 7 intervals, and room above the highest mark. */
function niceAxis(highest: number): { max: number; step: number } {
  const rough = (highest * 1.06) / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = Number((([1, 2, 2.5, 5].find((digit) => digit * power >= rough) ?? 10) * power).toPrecision(3))
  return { step, max: Number((Math.ceil((highest * 1.06) / step) * step).toPrecision(6)) }
}

function seededLook(request: ItemRequest, level: ChartLevel, form: Form, colours: number, chance: Random): Look {
  const unseen = request.style === 'unseen'
  const [width, height] = chance.pick([
    [640, 440],
    [720, 480],
    [760, 460],
    [680, 520],
  ] as const)
  const page = seededPage(chance, request.style)
  return {
    width,
    height,
    family: chance.pick(fontFamilies[request.style]),
    page,
    paints: seededPaints(chance, request.style, colours),
    many_colours: isShares(form) || chance.chance(0.45),
    grid: chance.pick(['solid', 'solid', 'dashed', 'none']),
    frame: chance.chance(0.3),
    legend: chance.pick(['right', 'bottom', 'top']),
    title_middle: chance.chance(0.5),
    axis_title: chance.chance(0.6),
    value_labels: chance.chance(level.labelled),
    thickness: chance.pick([0.55, 0.66, 0.78]),
    corner: unseen ? chance.pick([0, 4, 6]) : chance.pick([0, 0, 2]),
    outlined: unseen && chance.chance(0.4),
    markers: chance.chance(0.7),
    text_size: chance.pick([13, 14, 15]),
    specks: level.noise * chance.pick([0, 0.5, 1]) * (unseen ? 1.3 : 1),
    clutter: page.ground < '#5' ? 0 : level.noise * chance.pick([0, 0.5, 1]),
    first_angle: chance.pick([0, 0, 90, 40, 200]),
  }
}
