import { random } from '#services/gym/random.ts'
import { topics } from './bar-chart-topics.ts'
import { measuredWidth } from '#services/gym/picture/text-width.ts'
import type { SeedName } from '#services/gym/random.ts'
import type { Topic } from './bar-chart-topics.ts'

/** How a chart looks; never changes what it says. */
export type BarChartLook = {
  readonly width: number
  readonly height: number
  readonly orientation: 'vertical' | 'horizontal'
  /** Index into the palettes of the drawing. */
  readonly palette: number
  readonly paint: 'single' | 'many' | 'ramp' | 'outlined'
  readonly grid: 'lines' | 'dashed' | 'none'
  readonly corner: number
  readonly title_anchor: 'start' | 'middle'
  /** Share of a band that the bar fills. */
  readonly thickness: number
}

/** A bar chart as data: what is drawn, what the tool reads, what questions are asked of. */
export type BarChart = {
  readonly topic: Topic
  readonly title: string
  readonly labels: readonly string[]
  /** As exact as drawn: whole numbers or one decimal. No two are equal or hard to tell apart. */
  readonly values: readonly number[]
  readonly axis: { readonly max: number; readonly step: number }
  readonly look: BarChartLook
}

/** The seeded chart of item `index`. Topics go round, so that neighbours differ. */
export function barChart(seed: SeedName, index: number): BarChart {
  const round = Math.floor(index / topics.length)
  const order = random(seed, 'topics', round).shuffle(topics)
  const topic = order[index % topics.length] as Topic
  const words = random(seed, 'item', index, 'words')
  const count = random(seed, 'item', index, 'count').int(5, Math.min(9, topic.labels.length + 1))
  const labels = chosenLabels(topic, count, words)
  const values = spreadValues(topic, count, random(seed, 'item', index, 'values'))
  const axis = niceAxis(Math.max(...values))
  const title = topic.ordered || words.chance(0.4) ? topic.title : `${topic.title}, ${words.int(2016, 2025)}`
  return { topic, title, labels, values, axis, look: look(labels, random(seed, 'item', index, 'look')) }
}

/** A value as the chart and the table write it, without unit. */
export function valueText(value: number, decimals: number): string {
  return value.toFixed(decimals)
}

function chosenLabels(topic: Topic, count: number, chance: ReturnType<typeof random>): string[] {
  if (!topic.ordered) return chance.shuffle(topic.labels).slice(0, count)
  const first = chance.int(0, topic.labels.length - count + 1)
  return topic.labels.slice(first, first + count)
}

/**
 * Values at least 3.5 % of the highest apart: the eye can order the bars, and rounding makes no tie.
 * Built from gaps, so no draw is ever rejected.
 */
function spreadValues(topic: Topic, count: number, chance: ReturnType<typeof random>): number[] {
  const unit = 10 ** -topic.decimals
  const top = topic.highest * (0.55 + 0.45 * chance.next())
  const gap = 0.035 * top + unit
  const spare = top - topic.lowest - gap * (count - 1)
  const shares = Array.from({ length: count }, () => 0.1 + chance.next())
  const total = shares.reduce((sum, share) => sum + share, 0)
  let value = topic.lowest - gap
  const rising = shares.map((share) => {
    value += gap + (share / total) * spare
    return Number(value.toFixed(topic.decimals))
  })
  return chance.shuffle(rising)
}

/** Round steps with 4 to 7 intervals, and room above the highest bar. */
function niceAxis(highest: number): { max: number; step: number } {
  const rough = (highest * 1.04) / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 2.5, 5].find((digit) => digit * power >= rough) ?? 10) * power
  const rounded = Number(step.toPrecision(3))
  return { step: rounded, max: Number((Math.ceil((highest * 1.04) / rounded) * rounded).toPrecision(6)) }
}

function look(labels: readonly string[], chance: ReturnType<typeof random>): BarChartLook {
  const [width, height] = chance.pick([
    [720, 480],
    [800, 480],
    [680, 500],
  ] as const)
  const widest = Math.max(...labels.map((label) => measuredWidth(label, 13)))
  const fits = widest < ((width - 120) / labels.length) * 0.92
  const wantsVertical = chance.chance(0.65)
  return {
    width,
    height,
    orientation: fits && wantsVertical ? 'vertical' : 'horizontal',
    palette: chance.int(0, 1000),
    paint: chance.pick(['single', 'many', 'ramp', 'outlined']),
    grid: chance.pick(['lines', 'lines', 'dashed', 'none']),
    corner: chance.pick([0, 3, 6]),
    title_anchor: chance.pick(['start', 'start', 'middle']),
    thickness: chance.pick([0.56, 0.66, 0.76]),
  }
}
