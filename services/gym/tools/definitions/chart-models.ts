import Type from 'typebox'
import { closed, imageIndex } from './fields.ts'
import type { ToolDefinition, ToolTask } from '#services/gym/tools/tool.ts'

const prompt = Type.Optional(Type.String({ minLength: 1, maxLength: 4000, description: 'What is asked of the model.' }))
/** What these models answer with is text; a server may give the same as data beside it. */
const said = Type.Object({ processed_output: Type.String() }, { additionalProperties: true })

function task(description: string, subset?: string): ToolTask {
  const words = { description, arguments: closed({ prompt, image_index: imageIndex }), output: said }
  return subset === undefined ? words : { ...words, subset }
}

function model(
  name: string,
  aliases: readonly string[],
  subset: string,
  description: string,
  tasks: Readonly<Record<string, ToolTask>>,
): ToolDefinition {
  return {
    name,
    aliases,
    family: 'Chart Understanding',
    subset,
    description,
    tasks,
    default_task: Object.keys(tasks)[0] ?? '',
    timeout_ms: 60_000,
    concurrency: 8,
    retries: 2,
    runs: 'remote',
  }
}

const table = { to_table: task('The chart as a table.') }
const shapes = {
  to_svg: task('The parts of the chart as SVG.'),
  to_scene_graph: task('The parts of the chart and how they relate.', 'ChartToSCG'),
}
const caption = { caption: task('The chart and its colours in words.') }

/** Chart understanding by networks with weights of their own: each needs an address. */
export const chartModels: readonly ToolDefinition[] = [
  model('unichart', ['UniChart'], 'ChartToTable', 'The model UniChart.', {
    ...table,
    summarize: task('The chart in a few sentences.'),
  }),
  model('deplot', ['DePlot'], 'ChartToTable', 'The model DePlot.', table),
  model('chartdet', ['ChartDet', 'chart_det'], 'ChartToSVG', 'The detector ChartDet.', shapes),
  model('chartocr', ['ChartOCR', 'chart_ocr'], 'ChartToSVG', 'The reader ChartOCR.', shapes),
  model(
    'chartassistant',
    ['ChartAssistant', 'chart_assistant'],
    'CaptioningColor',
    'The model ChartAssistant.',
    caption,
  ),
  model('chartvlm', ['ChartVLM', 'chart_vlm'], 'CaptioningColor', 'The model ChartVLM.', caption),
]
