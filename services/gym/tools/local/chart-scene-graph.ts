import { colourName } from '#services/gym/tools/chart/colour-names.ts'
import { readChart } from '#services/gym/tools/chart/read-chart.ts'
import { formWord } from '#services/gym/tools/chart/table-text.ts'
import { pictureOf } from './request-picture.ts'
import type { Box } from '#services/gym/items/item.ts'
import type { ChartReading } from '#services/gym/tools/chart/reading.ts'
import type { LocalTool } from '#services/gym/tools/tool.ts'

type Node = {
  readonly id: string
  readonly type: string
  readonly label: string
  readonly value?: number
  readonly colour?: string
  readonly box?: Box
}
type Edge = { readonly from: string; readonly relation: string; readonly to: string }

/** A chart as a graph: its marks, categories and series as nodes; what stands for what, and what is above what. */
export const chartSceneGraph: LocalTool = async (request, readText) => {
  const reading = await readChart(pictureOf(request), readText)
  const nodes = nodesOf(reading)
  const edges = edgesOf(reading)
  const text = [
    `${formWord(reading.form)}: ${nodes.length} nodes, ${edges.length} relations`,
    ...nodes.map(({ id, type, label, value, colour, box }) =>
      [id, type, JSON.stringify(label), value, colour, box === undefined ? undefined : `[${box.join(', ')}]`]
        .filter((part) => part !== undefined)
        .join(' '),
    ),
    ...edges.map(({ from, relation, to }) => `${from} ${relation} ${to}`),
  ].join('\n')
  return { text, output: { nodes, edges } }
}

function nodesOf(reading: ChartReading): Node[] {
  return [
    { id: 'chart', type: formWord(reading.form), label: reading.title },
    ...reading.categories.map((label, place): Node => ({ id: `category_${place}`, type: 'category', label })),
    ...reading.series.flatMap(({ name }, place): Node[] =>
      name === '' ? [] : [{ id: `series_${place}`, type: 'series', label: name }],
    ),
    ...reading.marks.map(({ category, value, colour, box }, place): Node => ({
      id: `mark_${place}`,
      type: 'mark',
      label: reading.categories[category] ?? '',
      value,
      colour: colourName(colour),
      box,
    })),
  ]
}

function edgesOf(reading: ChartReading): Edge[] {
  const place = reading.marks.flatMap(({ category, series }, mark): Edge[] => [
    { from: `mark_${mark}`, relation: 'stands_for', to: `category_${category}` },
    ...(reading.series[series]?.name ? [{ from: `mark_${mark}`, relation: 'belongs_to', to: `series_${series}` }] : []),
  ])
  // A chain from the highest mark down says the same as every pair, in as many edges as there are marks.
  const order = [...reading.marks.entries()].toSorted(([, a], [, b]) => b.value - a.value)
  const chain = order.slice(1).flatMap(([mark, { value }], rank): Edge[] => {
    const above = order[rank]
    return above === undefined || above[1].value === value
      ? []
      : [{ from: `mark_${above[0]}`, relation: 'greater_than', to: `mark_${mark}` }]
  })
  return [...place, ...chain]
}
