import type { Random } from '#services/gym/random.ts'
import { topics } from './topics.ts'
import type { Query } from './query.ts'

/**
 * How queries are put into words, in English. Braces stand for names: {a}, {b}, {series}, {other}, {which},
 * {threshold}, {colour} are of the query; {measure} and {noun} are of the chart's topic. A policy that reads questions
 * may use the same list the other way round.
 */
const wordings: Readonly<Record<Query['ask'], readonly string[]>> = {
  is_extreme: ['Is {a} the {which:maximum}?', 'Does {a} have the {which} {measure}?'],
  is_more: ['Is {a} greater than {b}?', 'Is the {measure} of {a} higher than that of {b}?'],
  is_less: ['Is {a} less than {b}?', 'Is the {measure} of {a} lower than that of {b}?'],
  is_median: ['Is {a} the median?', 'Does {a} lie in the middle, with as many above it as below it?'],
  do_cross: ['Does the line of {a} intersect the line of {b}?', 'Do the lines of {a} and {b} cross?'],
  value: [
    'What is the {measure} of {a} for {series}?',
    'What is the {measure} of {a}?',
    'What value does the chart show for {a} in the series {series}?',
    'What value does the chart show for {a}?',
  ],
  extreme: ['Which {noun} has the {which} {measure}?', 'Name the {noun} with the {which} value in the chart.'],
  second: [
    'Which {noun} has the second {which} {measure}?',
    'Name the {noun} whose value is second {which} in the chart.',
  ],
  sum: ['What is the {measure} of {a} and {b} together?', 'What do the values of {a} and {b} add up to?'],
  difference: ['What is the difference between {a} and {b}?', 'By how much do the values of {a} and {b} differ?'],
  mean: ['What is the average {measure} over all of the chart?', 'What is the mean of all the values shown?'],
  range: [
    'What is the difference between the highest and the lowest value?',
    'How far is the largest {measure} above the smallest?',
  ],
  count: [
    'How many {noun} names are shown in the chart?',
    'For how many different entries of {noun} is there a value?',
  ],
  count_above: [
    'In {series}, how many values are above {threshold}?',
    'How many values are above {threshold}?',
    'How often is the {measure} greater than {threshold}?',
  ],
  count_below: [
    'In {series}, how many values are below {threshold}?',
    'How many values are below {threshold}?',
    'How often is the {measure} smaller than {threshold}?',
  ],
  extreme_of_series: [
    'Which {noun} has the {which} value for {series}?',
    'Where does {series} have its {which} {measure}?',
  ],
  extreme_in_category: [
    'Which series is the {which} in {a}?',
    'Looking at {a} only, which entry of the legend has the {which} value?',
  ],
  series_difference: [
    'How much do {series} and {other} differ in {a}?',
    'What is the difference between {series} and {other} at {a}?',
  ],
  series_total: [
    'Which series has the {which} total over the whole chart?',
    'Summed up, which entry of the legend comes out {which}?',
  ],
  widest_gap: [
    'Where is the gap between {series} and {other} widest?',
    'For which {noun} do {series} and {other} differ most?',
  ],
  count_series_ahead: [
    'How often is {series} above {other}?',
    'For how many entries does {series} have a higher value than {other}?',
  ],
  colour_of: ['What colour stands for {a}?', 'In which colour is {a} drawn?'],
  value_of_colour: ['What is the value of the {colour} mark?', 'What {measure} does the part in {colour} show?'],
  name_of_colour: ['Which name belongs to the {colour} colour?', 'What does {colour} stand for in the chart?'],
}

const maximum: Readonly<Record<string, string>> = { highest: 'maximum', lowest: 'minimum' }

type Slots = Readonly<Record<string, string>>

/** Puts a query into one of its wordings, by chance among those that use all of its names. */
export function worded(
  query: Query,
  topic: { readonly measure: string; readonly noun: string },
  chance: Random,
): string {
  const slots: Slots = { ...topic, ...slotsOf(query) }
  const series = slots['series'] ?? ''
  const fitting = wordings[query.ask].filter((wording) => wording.includes('{series}') === (series !== ''))
  return chance
    .pick(fitting.length > 0 ? fitting : wordings[query.ask])
    .replaceAll(/\{(\w+)(:maximum)?\}/g, (_, name: string, other?: string) => {
      const written = slots[name] ?? ''
      return other === undefined ? written : (maximum[written] ?? written)
    })
}

/** The query that a question puts, or null for a question of another kind. */
export function understood(question: string): Query | null {
  for (const { ask, pattern } of patterns) {
    const match = pattern.exec(question.trim())
    if (match === null) continue
    const groups = match.groups ?? {}
    const { a = '', b = '', other = '', colour = '', threshold = '' } = groups
    const which = ['lowest', 'minimum'].includes(groups['which'] ?? '') ? 'lowest' : 'highest'
    const slots = {
      a,
      b,
      which,
      series: groups['series'] ?? '',
      other,
      colour,
      threshold: Number(threshold.replaceAll(',', '')),
    }
    return { ask, ...slots } as Query
  }
  return null
}

/** Of the most letters that are not names first: the narrower wording is tried before the wider. */
const patterns: readonly { ask: Query['ask']; pattern: RegExp }[] = Object.entries(wordings)
  .flatMap(([ask, list]) => list.map((wording) => ({ ask: ask as Query['ask'], wording })))
  .toSorted((left, right) => fixedLetters(right.wording) - fixedLetters(left.wording))
  .map(({ ask, wording }) => ({ ask, pattern: patternOf(wording) }))

function fixedLetters(wording: string): number {
  return wording.replaceAll(/\{[^}]*\}/g, '').length
}

function patternOf(wording: string): RegExp {
  const source = wording.replaceAll(/[?.]/g, String.raw`\$&`).replaceAll(/\{(\w+)(:maximum)?\}/g, (_, name: string) => {
    if (name === 'which') return '(?<which>highest|lowest|maximum|minimum)'
    if (name === 'threshold') return '(?<threshold>[0-9][0-9,.]*?)'
    if (name === 'measure' || name === 'noun')
      return `(?:${[...new Set(topics.map((topic) => topic[name]))].join('|')})`
    return `(?<${name}>.+?)`
  })
  return new RegExp(`^${source}$`)
}

function slotsOf(query: Query): Slots {
  const { ask: _, ...slots } = query
  return Object.fromEntries(
    Object.entries(slots).map(([name, value]) => [
      name,
      typeof value === 'number' ? value.toLocaleString('en-US') : String(value),
    ]),
  )
}
