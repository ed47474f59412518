import Type from 'typebox'
import { box, closed, imageIndex } from './fields.ts'
import type { ToolDefinition, ToolTask } from '#services/gym/tools/tool.ts'

const onlyImage = closed({ image_index: imageIndex })
const chart = { chart_type: Type.String(), title: Type.String() }
const common = { family: 'Chart Understanding', timeout_ms: 30_000, concurrency: 4, retries: 0, runs: 'local' } as const
const read = Type.Union([Type.Number(), Type.Null()])
const named = closed({ category: Type.String(), value: Type.Number() })

const chartmoeTasks: Readonly<Record<string, ToolTask>> = {
  to_table: {
    description: 'The chart as a Markdown table: one row for each category, one column for each series.',
    arguments: onlyImage,
    output: closed({
      ...chart,
      columns: Type.Array(Type.String()),
      rows: Type.Array(Type.Array(Type.Union([Type.String(), Type.Number(), Type.Null()]))),
    }),
  },
  extract_data: {
    description: 'Every value of the chart on a line of its own, with its series and category.',
    arguments: onlyImage,
    output: closed({
      ...chart,
      data: Type.Array(closed({ series: Type.String(), category: Type.String(), value: read })),
    }),
  },
  describe: {
    description: 'What kind of chart it is, and what its categories, series and axis are.',
    subset: 'QAAnalysis',
    arguments: onlyImage,
    output: closed({ ...chart, description: Type.String() }),
  },
  analyze: {
    description: 'The highest and the lowest value, the total and the mean of each series.',
    subset: 'QAAnalysis',
    arguments: onlyImage,
    output: closed({
      ...chart,
      findings: Type.Array(
        closed({
          series: Type.String(),
          highest: named,
          lowest: named,
          total: Type.Number(),
          mean: Type.Number(),
          count: Type.Integer(),
        }),
      ),
    }),
  },
  answer: {
    description:
      'The answer to a question that follows from the table by rule, such as "Which town has the highest rainfall?".',
    subset: 'QAAnalysis',
    arguments: closed({
      prompt: Type.Optional(
        Type.String({ minLength: 1, maxLength: 1000, description: 'The question. Default: the question of the item.' }),
      ),
      image_index: imageIndex,
    }),
    output: closed({ ...chart, answer: Type.String() }),
  },
  title: {
    description: 'The title of the chart.',
    subset: 'QAAnalysis',
    arguments: onlyImage,
    output: closed({ title: Type.String() }),
  },
}

/** Chart understanding that runs here, from pixels. */
export const chartTools: readonly ToolDefinition[] = [
  {
    ...common,
    name: 'chartmoe',
    aliases: ['ChartMoE', 'chart_moe', 'chart_to_table', 'ChartToTable'],
    subset: 'ChartToTable',
    description: 'Reads a chart: its table, its data, a description, an analysis, or the answer to a question.',
    tasks: chartmoeTasks,
    default_task: 'to_table',
  },
  {
    ...common,
    name: 'opencv',
    aliases: ['OpenCV', 'chart_to_svg', 'ChartToSVG'],
    subset: 'ChartToSVG',
    description: 'Gives the coloured shapes and the words of a chart as SVG.',
    tasks: {
      to_svg: {
        description: 'The picture as SVG: rectangles, circles and polygons of one colour each, and text.',
        arguments: onlyImage,
        output: closed({
          svg: Type.String(),
          shapes: Type.Array(
            closed({
              shape: Type.Union([Type.Literal('rectangle'), Type.Literal('circle'), Type.Literal('polygon')]),
              colour: Type.String(),
              box: box('In pixels.'),
            }),
          ),
          texts: Type.Integer({ minimum: 0 }),
        }),
      },
    },
    default_task: 'to_svg',
  },
  {
    ...common,
    name: 'chart_scene_graph',
    aliases: ['ChartToSCG', 'chart_to_scg', 'scene_graph'],
    subset: 'ChartToSCG',
    description: 'Gives a chart as a graph of its marks, categories and series.',
    tasks: {
      to_scene_graph: {
        description: 'Nodes with boxes, values and colours; relations stands_for, belongs_to and greater_than.',
        arguments: onlyImage,
        output: closed({
          nodes: Type.Array(
            closed({
              id: Type.String(),
              type: Type.String(),
              label: Type.String(),
              value: Type.Optional(Type.Number()),
              colour: Type.Optional(Type.String()),
              box: Type.Optional(box('In pixels.')),
            }),
          ),
          edges: Type.Array(closed({ from: Type.String(), relation: Type.String(), to: Type.String() })),
        }),
      },
    },
    default_task: 'to_scene_graph',
  },
  {
    ...common,
    name: 'caption_colours',
    aliases: ['CaptioningColor', 'captioning_color', 'caption_colors'],
    subset: 'CaptioningColor',
    description: 'Names the colours of a chart and what they stand for.',
    tasks: {
      caption: {
        description: 'A line for each series or category with the name of its colour.',
        arguments: onlyImage,
        output: closed({
          caption: Type.String(),
          colours: Type.Array(closed({ of: Type.String(), colour: Type.String(), hex: Type.String() })),
        }),
      },
    },
    default_task: 'caption',
  },
]
