import { groupedText } from '#services/gym/families/chart/bar-chart-drawing.ts'
import { tableOf } from '#services/gym/families/chart/bar-chart-question.ts'
import { valueText } from '#services/gym/families/chart/bar-chart.ts'
import type { BarChart } from '#services/gym/families/chart/bar-chart.ts'

/** Why a call was refused: E1 its structure, E2 an argument name, E3 an argument value. */
export type CallFault = { readonly code: 'E1' | 'E2' | 'E3'; readonly argument: string; readonly message: string }

export type ToolResult =
  | { readonly status: 'ok'; readonly output_text: string }
  | { readonly status: 'invalid'; readonly output_text: string; readonly faults: readonly CallFault[] }
  | { readonly status: 'not_found'; readonly output_text: string }

/** Where the tool stands in the paper's table of tools. */
export const chartToolPlace = { family: 'Chart Understanding', subset: 'ChartToTable' } as const

const tasks = ['to_table', 'extract_data'] as const

/** The schema that policies are shown, in the shape that chat templates take. */
export const chartTool = {
  type: 'function',
  function: {
    name: 'chart_to_table',
    description: 'Reads the chart in an image and answers with its data as text.',
    parameters: {
      type: 'object',
      properties: {
        task: {
          type: 'string',
          enum: [...tasks],
          description:
            'to_table: a Markdown table with title and header. extract_data: one "label: value" line for each bar.',
        },
        image_index: {
          type: 'integer',
          minimum: 0,
          default: 0,
          description: 'Which image of the conversation, from 0.',
        },
      },
      required: ['task'],
      additionalProperties: false,
    },
  },
} as const

/**
 * Runs one call. It answers from the data the picture was drawn from, not from pixels: in this room
 * the tool never misreads, so every wrong answer is the policy's own.
 */
export function calledChartTool(chart: BarChart, call: { name: string; arguments: unknown }): ToolResult {
  if (call.name !== chartTool.function.name) {
    return {
      status: 'not_found',
      output_text: `Error: there is no tool "${call.name}". Tools: ${chartTool.function.name}.`,
    }
  }
  const faults = argumentFaults(call.arguments)
  if (faults.length > 0) {
    return { status: 'invalid', output_text: `Error: ${faults.map((fault) => fault.message).join(' ')}`, faults }
  }
  const { task } = call.arguments as { task: (typeof tasks)[number] }
  return { status: 'ok', output_text: task === 'to_table' ? markdownTable(chart) : dataLines(chart) }
}

function argumentFaults(given: unknown): CallFault[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return [{ code: 'E1', argument: '', message: 'arguments must be an object, for instance {"task": "to_table"}.' }]
  }
  const faults: CallFault[] = []
  for (const name of Object.keys(given)) {
    if (name === 'task' || name === 'image_index') continue
    faults.push({ code: 'E2', argument: name, message: `unknown argument "${name}". Known: task, image_index.` })
  }
  const { task, image_index: place } = given as { task?: unknown; image_index?: unknown }
  if (task === undefined) {
    faults.push({ code: 'E1', argument: 'task', message: `"task" is missing. Give one of: ${tasks.join(', ')}.` })
  } else if (!tasks.some((known) => known === task)) {
    const message = `task ${JSON.stringify(task)} is not known. Give one of: ${tasks.join(', ')}.`
    faults.push({ code: 'E3', argument: 'task', message })
  }
  if (place !== undefined && place !== 0) {
    const message = `image_index ${JSON.stringify(place)} is out of range: the conversation has 1 image, so it must be 0.`
    faults.push({ code: 'E3', argument: 'image_index', message })
  }
  return faults
}

function markdownTable(chart: BarChart): string {
  const { noun, measure, unit, decimals } = chart.topic
  const head = unit === '' || measure.includes(unit) ? measure : `${measure} (${unit})`
  const rows = tableOf(chart).map((row) => `| ${row.label} | ${valueText(row.value, decimals)} |`)
  return [`Title: ${chart.title}`, '', `| ${noun} | ${head} |`, '| --- | ---: |', ...rows].join('\n')
}

function dataLines(chart: BarChart): string {
  return tableOf(chart)
    .map((row) => `${row.label}: ${groupedText(row.value, chart.topic.decimals)}`)
    .join('\n')
}
