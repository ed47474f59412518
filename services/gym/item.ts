import { barChart } from '#services/gym/families/chart/bar-chart.ts'
import { barChartSvg } from '#services/gym/families/chart/bar-chart-drawing.ts'
import { barChartQuestion } from '#services/gym/families/chart/bar-chart-question.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import type { AnswerKey } from '#services/gym/loop/answer-check.ts'
import type { BarChart } from '#services/gym/families/chart/bar-chart.ts'
import type { Question } from '#services/gym/families/chart/bar-chart-question.ts'
import type { Picture } from '#services/gym/picture/render.ts'

/** One question about one chart, with all that a rollout of it needs. */
export type GymItem = {
  readonly seed: number
  readonly index: number
  /** Bears the seed: another seed makes other items, never a second content under one id. */
  readonly item_id: string
  readonly chart: BarChart
  readonly question: Question
  /** Name (sha256, hex) of the picture. */
  readonly image_id: string
  readonly key: AnswerKey
}

/** The seeded item and its picture. The picture is drawn here once; keep or drop its bytes. */
export function gymItem(seed: number, index: number): { item: GymItem; picture: Picture } {
  const chart = barChart(seed, index)
  const question = barChartQuestion(seed, index, chart)
  const picture = renderedPng(barChartSvg(chart, { valueLabels: question.value_labels }))
  const { answer, answer_type, choices } = question
  const key: AnswerKey = { answer, answer_type, unit: chart.topic.unit, ...(choices === undefined ? {} : { choices }) }
  const item_id = `bar-chart/${seed}/${fourDigits(index)}`
  return { item: { seed, index, item_id, chart, question, image_id: picture.sha256, key }, picture }
}

/** 7 as 0007, so that ids sort as they count. */
export function fourDigits(index: number): string {
  return String(index).padStart(4, '0')
}
