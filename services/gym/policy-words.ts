import type { Query, Row } from '#services/gym/families/chart/bar-chart-question.ts'
import type { Random } from './random.ts'

/** What goes through a policy's head before it calls the tool. */
export function lookingThought(query: Query, noun: string, chance: Random): string {
  const opening = chance.pick([
    'Let me look at the chart first.',
    `The image is a bar chart with one bar for each ${noun}.`,
    'I need exact numbers here, not guesses.',
    'Okay, so the question is about the bars.',
    'The bars are close enough that I would rather have the data.',
    'First step: get the data behind this picture.',
  ])
  const aim = chance.pick([
    `${aimOf(query, noun)} Reading the table will settle it.`,
    `${aimOf(query, noun)} I will call the chart tool.`,
    `${aimOf(query, noun)} Eyeballing could be off by a little, so I use chart_to_table.`,
    `Then ${lowered(aimOf(query, noun))}`,
  ])
  return `${opening} ${aim}`
}

/** What it thinks when the tool, or the environment, sent back an error. */
export function secondTryThought(error: string, chance: Random): string {
  const said = error.replace(/^Error: /, '').slice(0, 90)
  return chance.pick([
    `The call failed: ${said} Let me correct it.`,
    'That was not accepted. I will follow the schema this time and give the task.',
    `Right, the message says "${said}". Trying again with to_table.`,
    'My last message was not well formed. Again, more carefully.',
  ])
}

/** What it thinks while it works the answer out of the rows it believes in. */
export function answeringThought(
  query: Query,
  rows: readonly Row[],
  answer: string,
  source: 'table' | 'eye',
  chance: Random,
): string {
  const opening =
    source === 'table'
      ? chance.pick([
          'The table is clear.',
          'From the table:',
          'Now I have the values.',
          'Good, the tool answered.',
          'Going through the rows.',
        ])
      : chance.pick([
          'Judging by the height of the bars,',
          'From the picture alone,',
          'I can estimate this without the tool:',
          'By eye:',
        ])
  const closing = chance.pick([
    `So the answer is ${answer}.`,
    `That gives ${answer}.`,
    `Hence ${answer}.`,
    `I answer ${answer}.`,
    '',
  ])
  return `${opening} ${working(query, rows, chance)} ${closing}`.replaceAll(/\s+/g, ' ').trim()
}

/** Padding that a weak policy adds. */
export function rambling(chance: Random): string {
  const asides = [
    'Charts like this often start at zero, and this one seems to.',
    'The colours do not seem to matter here.',
    'I should check the title too; it names the measure.',
    'Maybe the order of the bars means something, maybe not.',
    'Let me not confuse the axis with the labels.',
    'Wait, is the scale linear? It looks linear.',
    'There are a few bars of similar height, which makes it harder.',
  ]
  return chance.shuffle(asides).slice(0, chance.int(1, 4)).join(' ')
}

/** A thought that got stuck: `times` repeats of one phrase. */
export function stuckThought(times: number, chance: Random): string {
  const phrase = chance.pick([
    'Let me check the bars again.',
    'The value is higher than the other value.',
    'I need to look at the chart.',
    'Wait, let me recount.',
  ])
  return Array.from({ length: times }, () => phrase).join(' ')
}

function aimOf(query: Query, noun: string): string {
  switch (query.kind) {
    case 'value':
      return `I have to find the bar for ${query.label}.`
    case 'largest':
      return `I have to find the ${noun} with the largest value.`
    case 'smallest':
      return `I have to find the ${noun} with the smallest value.`
    case 'second':
      return `I have to rank the bars and take the second.`
    case 'difference':
      return `I have to subtract ${query.other} from ${query.label}.`
    case 'count_above':
      return `I have to count the bars above ${query.threshold}.`
    case 'compare':
      return `I have to compare ${query.label} with ${query.other}.`
  }
}

function lowered(sentence: string): string {
  return sentence.charAt(0) === 'I' ? sentence : sentence.charAt(0).toLowerCase() + sentence.slice(1)
}

function working(query: Query, rows: readonly Row[], chance: Random): string {
  const falling = rows.toSorted((left, right) => right.value - left.value)
  const value = (label: string): number | string => rows.find((row) => row.label === label)?.value ?? 'unknown'
  const listed = (some: readonly Row[]): string => some.map((row) => `${row.label} ${row.value}`).join(', ')
  switch (query.kind) {
    case 'value':
      return chance.pick([
        `${query.label} stands at ${value(query.label)}.`,
        `The row for ${query.label} says ${value(query.label)}.`,
      ])
    case 'largest':
      return chance.pick([
        `In falling order: ${listed(falling.slice(0, 3))}.`,
        `${listed(falling.slice(0, 1))} is the top.`,
      ])
    case 'smallest':
      return chance.pick([
        `The low end is ${listed(falling.slice(-3))}.`,
        `${listed(falling.slice(-1))} is the bottom.`,
      ])
    case 'second':
      return `Ranked: ${listed(falling.slice(0, 4))}. First is ${falling[0]?.label ?? '?'}, then ${falling[1]?.label ?? '?'}.`
    case 'difference':
      return chance.pick([
        `${query.label} is ${value(query.label)} and ${query.other} is ${value(query.other)}; subtract.`,
        `${value(query.label)} - ${value(query.other)}.`,
      ])
    case 'count_above': {
      const above = rows.filter((row) => row.value > query.threshold)
      return chance.pick([
        `Above ${query.threshold}: ${above.length > 0 ? listed(above) : 'none'}. That makes ${above.length}.`,
        `I check each against ${query.threshold}: ${listed(rows)}.`,
      ])
    }
    case 'compare':
      return `${query.label} has ${value(query.label)}, ${query.other} has ${value(query.other)}.`
  }
}
