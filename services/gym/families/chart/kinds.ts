import { random } from '#services/gym/random.ts'
import { arithmetic, colours, counting, series, shares, values, yesNo, type Asking } from './asking.ts'
import { isShares, seededChart, type Chart, type ChartLevel, type Form } from './chart.ts'
import { chartPicture, type ChartPicture } from './drawing.ts'
import { paintNames } from './paints.ts'
import { placesOf, solved, type ColouredTable, type Query } from './query.ts'
import { worded } from './wordings.ts'
import type { AnswerKey } from '#services/gym/loop/answer-check.ts'
import type { Evidence, ItemKind, ItemRequest, Scene } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'

type KindPlan = {
  readonly kind: string
  readonly dataset: string
  readonly asking: Asking
  readonly levels: readonly ChartLevel[]
}

/** Charts that are drawn before a kind gives up; measured: the rarest question is found within 31. */
const attemptsMax = 400
/** Relative tolerance of values that are read off an axis, as in the evaluation of ChartQA. */
const readTolerance = 0.05

const single: readonly Form[] = ['bars', 'horizontal_bars', 'dots']
const several: readonly Form[] = ['grouped_bars', 'stacked_bars', 'lines']
const round: readonly Form[] = ['pie', 'donut']

function levelsOf(forms: readonly Form[]): ChartLevel[] {
  return [
    { forms, categories: [3, 6], series: [2, 3], labelled: 1, noise: 0 },
    { forms, categories: [4, 8], series: [2, 4], labelled: 0.5, noise: 0.4 },
    { forms, categories: [5, 10], series: [2, 5], labelled: 0, noise: 1 },
  ]
}

const plans: readonly KindPlan[] = [
  {
    kind: 'chart/yes-no',
    dataset: 'stepstore-figureqa',
    asking: yesNo,
    levels: levelsOf([...single, ...round, 'lines']),
  },
  { kind: 'chart/colours', dataset: 'stepstore-figureqa', asking: colours, levels: levelsOf([...single, ...round]) },
  { kind: 'chart/values', dataset: 'stepstore-chartqa', asking: values, levels: levelsOf(single) },
  { kind: 'chart/arithmetic', dataset: 'stepstore-chartqa', asking: arithmetic, levels: levelsOf(single) },
  {
    kind: 'chart/counting',
    dataset: 'stepstore-chartqa',
    asking: counting,
    levels: levelsOf([...single, 'grouped_bars', 'lines']),
  },
  { kind: 'chart/series', dataset: 'stepstore-chartqa', asking: series, levels: levelsOf(several) },
  { kind: 'chart/shares', dataset: 'stepstore-chartqa', asking: shares, levels: levelsOf(round) },
]

/** Charts after FigureQA (yes and no, colours) and ChartQA (values, arithmetic, counting, series, shares). */
export const kinds: readonly ItemKind[] = plans.map((plan) => ({
  kind: plan.kind,
  family: 'chart',
  dataset: plan.dataset,
  levels: plan.levels.map((level) => ({
    forms: level.forms.join(' '),
    categories_max: level.categories[1] - 1,
    series_max: level.series[1] - 1,
    labelled: level.labelled,
    noise: level.noise,
  })),
  make: (request) => sceneOf(plan, request),
}))

function sceneOf(plan: KindPlan, request: ItemRequest): Scene {
  const level = plan.levels[request.level]
  if (level === undefined) throw new RangeError(`${plan.kind} has no level ${request.level}`)
  const stream = (name: string): Random =>
    random(request.seed, request.split, plan.kind, request.index, request.level, request.style, name)
  const wanted = stream('answer').chance(0.5)
  const asked = stream('query')
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const chart = seededChart(request, `${plan.kind} ${attempt}`, level)
    const query = plan.asking(chart, asked, wanted)
    if (query === null) continue
    const picture = chartPicture(chart, stream('noise'))
    return {
      svg: picture.svg,
      question: worded(query, chart.topic, stream('wording')),
      key: keyOf(query, chart, stream('choices')),
      evidence: evidenceOf(query, chart, picture),
      scene: sceneData(query, chart),
    }
  }
  throw new RangeError(`no question of ${plan.kind} came up in ${attemptsMax} charts`)
}

function keyOf(query: Query, chart: Chart, chance: Random): AnswerKey {
  const answer = solved(query, coloured(chart))
  if (answer === null) throw new RangeError(`a question about a chart has no answer: ${query.ask}`)
  if (typeof answer === 'boolean') return { answer: [answer ? 'yes' : 'no'], answer_type: 'yes_no' }
  if (typeof answer === 'number') {
    const unit = isShares(chart.form) ? '%' : chart.topic.unit
    const isCount = query.ask.startsWith('count')
    if (isCount) return { answer: [String(answer)], answer_type: 'numeric' }
    const decimals = query.ask === 'mean' ? 2 : chart.decimals
    return {
      answer: [answer.toFixed(decimals)],
      answer_type: 'numeric',
      tolerance: readTolerance,
      ...(unit === '' ? {} : { unit }),
    }
  }
  if (query.ask !== 'colour_of') return { answer: [answer], answer_type: 'text' }
  const others = chance.shuffle(paintNames.filter((name) => name !== answer)).slice(0, 3)
  return { answer: [answer], answer_type: 'choice', choices: chance.shuffle([answer, ...others]) }
}

/** The chart's table with the colour of each name. */
function coloured(chart: Chart): ColouredTable {
  const names = chart.series.length > 1 ? chart.series : chart.look.many_colours ? chart.categories : []
  return { ...chart, colours: names.map((of, place) => ({ of, colour: chart.look.paints[place]?.name ?? '' })) }
}

/** The marks whose values decide, and the labels that name what the question names. */
function evidenceOf(query: Query, chart: Chart, picture: ChartPicture): Evidence[] {
  const places = placesOf(query, chart)
  const marks = picture.marks
    .filter((mark) => places.some(([s, c]) => s === mark.series && c === mark.category))
    .map(({ series: s, category: c, box }): Evidence => {
      const name = chart.series.length > 1 ? `${chart.series[s]}, ${chart.categories[c]}` : `${chart.categories[c]}`
      return { what: `mark of ${name}`, box, value: chart.values[s]?.[c] ?? 0 }
    })
  const named = (names: readonly string[], boxes: ChartPicture['category_labels']): Evidence[] =>
    names.flatMap((name, place) => {
      const box = boxes[place]
      return box !== undefined && Object.values(query).includes(name) ? [{ what: `label ${name}`, box }] : []
    })
  return [...marks, ...named(chart.categories, picture.category_labels), ...named(chart.series, picture.series_labels)]
}

function sceneData(query: Query, chart: Chart): Scene['scene'] {
  const { form, title, categories, decimals, look } = chart
  return {
    form,
    title,
    query,
    categories,
    series: chart.series,
    values: chart.values,
    decimals,
    unit: isShares(form) ? '%' : chart.topic.unit,
    font: look.family,
    colours: look.paints,
    value_labels: look.value_labels,
  }
}
