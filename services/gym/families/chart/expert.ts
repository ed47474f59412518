import { tableIn } from '#services/gym/tools/chart/table-text.ts'
import { numericTable } from './numeric-table.ts'
import { solved, type ColouredTable, type Query, type Solved } from './query.ts'
import { understood } from './wordings.ts'
import type { Expert, ExpertHeard } from '#services/gym/policies/policy.ts'

/** Has the table read, and the colours where the question is about them, and works the answer out from that. */
export const expert: Expert = (question, choices, heard) => {
  const query = understood(question)
  const [first, second] = heard
  if (first === undefined) {
    return isOfColour(query)
      ? {
          think: 'The question is about a colour, so I ask which colour stands for what.',
          ...call('caption_colours', 'caption'),
        }
      : { think: 'I need the values of the chart, so I have it read as a table.', ...call('chartmoe', 'to_table') }
  }
  const needsTable = query?.ask === 'value_of_colour' || !first.ok
  if (needsTable && second === undefined) {
    return { think: 'I still need the values, so I have the chart read as a table.', ...call('chartmoe', 'to_table') }
  }
  const table = tableOf(heard)
  const answer = query === null || table === null ? null : solved(query, table)
  return answer === null
    ? { think: 'The tools did not tell enough. I answer with what seems likely.', answer: guessed(question, choices) }
    : { think: `${saidOf(table)} ${reasonOf(query)}`, answer: written(answer) }
}

function isOfColour(query: Query | null): boolean {
  return query !== null && ['colour_of', 'value_of_colour', 'name_of_colour'].includes(query.ask)
}

function call(tool: string, task: string): { tool: string; task: string; arguments: Record<string, unknown> } {
  return { tool, task, arguments: {} }
}

/** The last table that was read, and the colours that were named before; null where neither was. */
function tableOf(heard: readonly ExpertHeard[]): ColouredTable | null {
  const said = heard.filter(({ ok }) => ok).map(({ text }) => text)
  const read = said.map(tableIn).findLast((table) => table !== null)
  const colours = said.flatMap((text) =>
    [...text.matchAll(/^(.+): ([a-z ]+) \(#[0-9a-f]{6}\)$/gm)].map(([, of = '', colour = '']) => ({ of, colour })),
  )
  if (read === undefined || read === null)
    return colours.length === 0 ? null : { categories: [], series: [], values: [], colours }
  return { ...numericTable(read), colours }
}

function saidOf(table: ColouredTable | null): string {
  if (table === null || table.categories.length === 0) return 'The colours are named.'
  return `The table has ${table.categories.length} rows and ${table.series.length} column${table.series.length === 1 ? '' : 's'} of values.`
}

function reasonOf(query: Query | null): string {
  switch (query?.ask) {
    case 'extreme':
    case 'second':
    case 'extreme_of_series':
    case 'extreme_in_category':
    case 'series_total':
    case 'widest_gap':
      return 'I put them in order and take the one that is asked for.'
    case 'sum':
    case 'difference':
    case 'mean':
    case 'range':
    case 'series_difference':
      return 'I work the number out from its values.'
    case 'count':
    case 'count_above':
    case 'count_below':
    case 'count_series_ahead':
      return 'I count the rows that fit.'
    default:
      return 'I look the names of the question up in it.'
  }
}

function written(answer: Exclude<Solved, null>): string {
  if (typeof answer === 'boolean') return answer ? 'yes' : 'no'
  return typeof answer === 'number' ? String(Number(answer.toPrecision(6))) : answer
}

function guessed(question: string, choices: readonly string[]): string {
  if (choices[0] !== undefined) return choices[0]
  return /^(is|do|does|are)\b/i.test(question) ? 'no' : 'unknown'
}
