import { numericTable } from '#services/gym/families/chart/numeric-table.ts'
import { solved } from '#services/gym/families/chart/query.ts'
import { understood } from '#services/gym/families/chart/wordings.ts'
import { colourName } from '#services/gym/tools/chart/colour-names.ts'
import { readChart } from '#services/gym/tools/chart/read-chart.ts'
import { formWord, tableOf, tableText } from '#services/gym/tools/chart/table-text.ts'
import { ToolFailure, type LocalTool, type ToolOutput } from '#services/gym/tools/tool.ts'
import { pictureOf } from './request-picture.ts'
import type { ChartReading } from '#services/gym/tools/chart/reading.ts'

/**
 * Reads a chart from its pixels, in place of the network ChartMoE: its table, its data line by line, a description, the
 * extremes and sums of its values, its title, or the answer to a question that a rule can work out from the table.
 */
export const chartToTable: LocalTool = async (request, readText) => {
  const reading = await readChart(pictureOf(request), readText)
  switch (request.task) {
    case 'to_table':
      return { text: tableText(reading), output: { ...head(reading), ...tableOf(reading) } }
    case 'extract_data':
      return extracted(reading)
    case 'describe':
      return described(reading)
    case 'analyze':
      return analyzed(reading)
    case 'title':
      return { text: reading.title || 'The chart has no title.', output: { title: reading.title } }
    case 'answer': {
      const { prompt } = request.arguments
      return answered(reading, typeof prompt === 'string' ? prompt : request.question)
    }
    default:
      throw new ToolFailure('InvalidInput', `chartmoe has no task ${request.task}`)
  }
}

function head({ form, title }: ChartReading): { chart_type: string; title: string } {
  return { chart_type: formWord(form), title }
}

function extracted(reading: ChartReading): ToolOutput {
  const data = reading.series.flatMap(({ name }, series) =>
    reading.categories.map((category, place) => ({
      series: name,
      category,
      value: reading.values[series]?.[place] ?? null,
    })),
  )
  const lines = data.map(
    ({ series, category, value }) => `${series === '' ? '' : `${series}, `}${category}: ${value ?? 'not read'}`,
  )
  return { text: lines.join('\n'), output: { ...head(reading), data } }
}

function described(reading: ChartReading): ToolOutput {
  const { categories, series, title } = reading
  const named = series.flatMap(({ name, colour }) =>
    name === '' ? [] : [`${name}${colour === null ? '' : ` in ${colourName(colour)}`}`],
  )
  const text = [
    `A ${formWord(reading.form)}${title === '' ? '' : ` titled "${title}"`} with ${categories.length} categories: ${categories.join(', ')}.`,
    ...(named.length === 0 ? [] : [`Its series are ${named.join(', ')}.`]),
    ...(reading.axis === null ? [] : [`Its value axis reaches from ${reading.axis.from} to about ${reading.axis.to}.`]),
  ].join(' ')
  return { text, output: { ...head(reading), description: text } }
}

function analyzed(reading: ChartReading): ToolOutput {
  const findings = reading.series.flatMap(({ name }, series) => {
    const known = reading.categories.flatMap((category, place) => {
      const value = reading.values[series]?.[place]
      return typeof value === 'number' ? [{ category, value }] : []
    })
    const sorted = known.toSorted((a, b) => b.value - a.value)
    const [highest, lowest] = [sorted[0], sorted.at(-1)]
    if (highest === undefined || lowest === undefined) return []
    const total = known.reduce((sum, { value }) => sum + value, 0)
    return [
      {
        series: name,
        highest,
        lowest,
        total: rounded(total),
        mean: rounded(total / known.length),
        count: known.length,
      },
    ]
  })
  const lines = findings.map(
    ({ series, highest, lowest, total, mean, count }) =>
      `${series === '' ? '' : `${series}: `}highest ${highest.category} (${highest.value}), lowest ${lowest.category} (${lowest.value}), total ${total}, mean ${mean} of ${count} values`,
  )
  return { text: lines.join('\n') || 'No values were read.', output: { ...head(reading), findings } }
}

function answered(reading: ChartReading, question: string): ToolOutput {
  const query = understood(question)
  if (query === null) {
    throw new ToolFailure(
      'InvalidInput',
      'the question is none that can be worked out from a table by rule; use to_table and work it out yourself',
    )
  }
  const colours = reading.marks.map(({ category, series, colour }) => ({
    of: (reading.series.length > 1 ? reading.series[series]?.name : reading.categories[category]) ?? '',
    colour: colourName(colour),
  }))
  const answer = solved(query, { ...numericTable(tableOf(reading)), colours })
  if (answer === null) throw new ToolFailure('InvalidInput', 'the names of the question were not found in the chart')
  const written =
    typeof answer === 'boolean'
      ? answer
        ? 'yes'
        : 'no'
      : typeof answer === 'number'
        ? String(rounded(answer))
        : answer
  return { text: written, output: { ...head(reading), answer: written } }
}

function rounded(value: number): number {
  return Number(value.toPrecision(6))
}
