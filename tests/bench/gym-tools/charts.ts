/** How right charts are read: their tables, marks, shapes and colours. */
import { FORMS, seededChart, type Chart, type ChartLevel, type Form } from '#services/gym/families/chart/chart.ts'
import { chartPicture, type ChartPicture } from '#services/gym/families/chart/drawing.ts'
import { kinds } from '#services/gym/families/chart/index.ts'
import { checkedAnswer } from '#services/gym/loop/answer-check.ts'
import { renderedPng, type Picture } from '#services/gym/picture/render.ts'
import { formWord } from '#services/gym/tools/chart/table-text.ts'
import { random } from '#services/gym/random.ts'
import { called, isAmong, isNear, items, listOf, textOf, type Bench } from './tally.ts'
import type { Box } from '#services/gym/items/item.ts'

type Node = {
  readonly id: string
  readonly type: string
  readonly label: string
  readonly value?: number
  readonly box?: Box
}
type Edge = { readonly from: string; readonly relation: string; readonly to: string }
type Drawn = { readonly chart: Chart; readonly drawn: ChartPicture; readonly picture: Picture }

const names: Readonly<Record<Form, string>> = {
  bars: 'bar charts',
  horizontal_bars: 'charts of lying bars',
  grouped_bars: 'grouped bar charts',
  stacked_bars: 'stacked bar charts',
  lines: 'line charts',
  dots: 'dot charts',
  pie: 'pies',
  donut: 'rings',
}
const levels: readonly Omit<ChartLevel, 'forms'>[] = [
  { categories: [3, 6], series: [2, 3], labelled: 1, noise: 0 },
  { categories: [4, 8], series: [2, 4], labelled: 0.5, noise: 0.4 },
  { categories: [5, 10], series: [2, 5], labelled: 0, noise: 1 },
]
/** Marks that fill a box of their own. */
const boxed: readonly Form[] = ['bars', 'horizontal_bars', 'grouped_bars', 'stacked_bars', 'dots']

/** Every form of chart in turn, on all levels. */
export async function measureCharts(bench: Bench): Promise<void> {
  for (let index = 0; index < bench.pictures; index++) {
    for (const form of FORMS) await measureChart(bench, drawnChart(bench, form, index))
  }
  for (const { scene, picture } of items(kinds, bench, bench.pictures)) {
    // What a colour stands for is asked of the caption, which names no values.
    const { output } = await called(bench, picture, { tool: 'chartmoe', task: 'answer' }, scene.question)
    const isRight = checkedAnswer(textOf(output['answer']), scene.key).answer_match
    bench.count({ tool: 'chartmoe', family: 'chart', what: 'questions of the items answered (answer)' }, isRight)
  }
}

function drawnChart({ seed, style }: Bench, form: Form, index: number): Drawn {
  const level = levels[index % levels.length]
  if (level === undefined) throw new RangeError('there are levels')
  const request = { seed, split: 'test', index, level: index % levels.length, style } as const
  const chart = seededChart(request, 'tool accuracy', { ...level, forms: [form] })
  const drawn = chartPicture(chart, random(seed, form, index, style, 'noise'))
  return { chart, drawn, picture: renderedPng(drawn.svg) }
}

async function measureChart(bench: Bench, drawn: Drawn): Promise<void> {
  await table(bench, drawn)
  await sceneGraph(bench, drawn)
  await colours(bench, drawn)
  if (boxed.includes(drawn.chart.form)) await shapes(bench, drawn)
}

async function table(bench: Bench, { chart, picture }: Drawn): Promise<void> {
  const count = (what: string, isRight: boolean): void =>
    bench.count({ tool: 'chartmoe', family: 'chart', what }, isRight)
  const { output } = await called(bench, picture, { tool: 'chartmoe', task: 'to_table' })
  const [columns, rows] = [listOf<string>(output, 'columns').slice(1), listOf<readonly unknown[]>(output, 'rows')]
  const read = rows.map(([name]) => textOf(name))
  for (const [series, values] of chart.values.entries()) {
    const column = placeOf(columns, chart.series.length > 1 ? (chart.series[series] ?? '') : '', series)
    if (chart.series.length > 1)
      count('series named to the letter (to_table)', columns.includes(chart.series[series] ?? ''))
    for (const [category, value] of values.entries()) {
      const row = rows[placeOf(read, chart.categories[category] ?? '', category)]
      count(`cells of ${names[chart.form]} within 2 % (to_table)`, isNear(row?.[column + 1], value))
    }
  }
  for (const name of chart.categories) count('categories named to the letter (to_table)', read.includes(name))
  count('title read to the letter (title)', output['title'] === chart.title)
  const form = (await called(bench, picture, { tool: 'chartmoe', task: 'describe' })).output['description']
  count('form told (describe)', textOf(form).startsWith(`A ${formWord(chart.form)}`))
  const { output: said } = await called(bench, picture, { tool: 'chartmoe', task: 'analyze' })
  const found = listOf<{ series: string; highest: { category: string }; lowest: { category: string } }>(
    said,
    'findings',
  )
  for (const [series, values] of chart.values.entries()) {
    const one = chart.series.length > 1 ? found.find((each) => each.series === chart.series[series]) : found[0]
    const at = (value: number): string => chart.categories[values.indexOf(value)] ?? ''
    const isRight = one?.highest.category === at(Math.max(...values)) && one.lowest.category === at(Math.min(...values))
    count('highest and lowest of a series found (analyze)', isRight)
  }
}

/** Where a name stands; by its turn where it was misread. */
function placeOf(read: readonly string[], name: string, turn: number): number {
  const place = read.indexOf(name)
  return place < 0 ? turn : place
}

async function sceneGraph(bench: Bench, { chart, drawn, picture }: Drawn): Promise<void> {
  const row = { tool: 'chart_scene_graph', family: 'chart' } as const
  const { output } = await called(bench, picture, { tool: 'chart_scene_graph' })
  const [nodes, edges] = [listOf<Node>(output, 'nodes'), listOf<Edge>(output, 'edges')]
  const label = (id: string, relation: string): string => {
    const to = edges.find((edge) => edge.from === id && edge.relation === relation)?.to
    return nodes.find((node) => node.id === to)?.label ?? ''
  }
  const marks = nodes.filter(({ type }) => type === 'mark')
  for (const { series, category, box } of drawn.marks) {
    const value = chart.values[series]?.[category] ?? 0
    const isThere = marks.some(
      (mark) =>
        isNear(mark.value, value) &&
        label(mark.id, 'stands_for') === chart.categories[category] &&
        (chart.series.length === 1 || label(mark.id, 'belongs_to') === chart.series[series]),
    )
    bench.count({ ...row, what: 'marks with category, series and value (within 2 %)' }, isThere)
    if (boxed.includes(chart.form)) {
      const boxes = marks.flatMap((mark) => (mark.box === undefined ? [] : [mark.box]))
      bench.count({ ...row, what: 'bars and dots with their box (IoU >= 0.5)' }, isAmong(box, boxes))
    }
  }
}

async function colours(bench: Bench, { chart, picture }: Drawn): Promise<void> {
  const named =
    chart.series.length > 1 || chart.form === 'lines' ? chart.series : chart.look.many_colours ? chart.categories : []
  const { output } = await called(bench, picture, { tool: 'caption_colours' })
  const said = listOf<{ of: string; colour: string }>(output, 'colours')
  for (const [place, name] of named.entries()) {
    const colour = said.find(({ of }) => of === name)?.colour
    const what = 'colours named for what they stand for'
    bench.count({ tool: 'caption_colours', family: 'chart', what }, colour === chart.look.paints[place]?.name)
  }
}

async function shapes(bench: Bench, { drawn, picture }: Drawn): Promise<void> {
  const { output } = await called(bench, picture, { tool: 'opencv' })
  const boxes = listOf<{ box: Box }>(output, 'shapes').map(({ box }) => box)
  for (const { box } of drawn.marks)
    bench.count({ tool: 'opencv', family: 'chart', what: 'bars and dots as shapes (IoU >= 0.5)' }, isAmong(box, boxes))
}
