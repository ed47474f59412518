import { describe, expect, it } from 'vitest'
import { palettes } from '#services/gym/families/chart/bar-chart-colours.ts'
import { barChart } from '#services/gym/families/chart/bar-chart.ts'
import { barChartSvg } from '#services/gym/families/chart/bar-chart-drawing.ts'
import { barChartQuestion, queryKinds } from '#services/gym/families/chart/bar-chart-question.ts'
import { topics } from '#services/gym/families/chart/bar-chart-topics.ts'
import { gymItem } from '#services/gym/item.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import { measuredWidth } from '#services/gym/picture/text-width.ts'

const indexes = Array.from({ length: 300 }, (_, index) => index)

/** The answer worked out of labels and values alone, by other means than the gym's own. */
function recomputed(index: number): string {
  const { labels, values, topic } = barChart(5, index)
  const { query } = barChartQuestion(5, index, barChart(5, index))
  const at = (label: string): number => values[labels.indexOf(label)] ?? Number.NaN
  const scale = 10 ** topic.decimals
  const written = (tenths: number): string =>
    topic.decimals === 0 ? `${tenths}` : `${Math.floor(tenths / 10)}.${tenths % 10}`
  switch (query.kind) {
    case 'value':
      return written(Math.round(at(query.label) * scale))
    case 'difference':
      return written(Math.round(at(query.label) * scale) - Math.round(at(query.other) * scale))
    case 'largest':
      return labels[values.indexOf(Math.max(...values))] ?? ''
    case 'smallest':
      return labels[values.indexOf(Math.min(...values))] ?? ''
    case 'second': {
      const top = Math.max(...values)
      return labels[values.indexOf(Math.max(...values.filter((value) => value !== top)))] ?? ''
    }
    case 'count_above': {
      let count = 0
      for (const value of values) if (value > query.threshold) count++
      return `${count}`
    }
    case 'compare':
      return at(query.label) - at(query.other) > 0 ? 'yes' : 'no'
  }
}

describe('bar charts', () => {
  it('ask questions whose answer follows from the chart', () => {
    for (const index of indexes) {
      const question = barChartQuestion(5, index, barChart(5, index))
      expect({ index, answer: question.answer }).toEqual({ index, answer: [recomputed(index)] })
    }
  })

  it('ask every kind of question, about every topic, with yes and no both right at times', () => {
    const questions = indexes.map((index) => barChartQuestion(5, index, barChart(5, index)))
    expect(new Set(questions.map((question) => question.query.kind))).toEqual(new Set(queryKinds))
    expect(new Set(indexes.map((index) => barChart(5, index).topic))).toEqual(new Set(topics))
    const said = questions.filter((question) => question.answer_type === 'yes_no').map((question) => question.answer[0])
    expect(new Set(said)).toEqual(new Set(['yes', 'no']))
  })

  it('offer the right choice among distinct choices, and name each in the question', () => {
    for (const index of indexes) {
      const { answer, answer_type, choices, text } = barChartQuestion(5, index, barChart(5, index))
      expect(choices !== undefined).toBe(answer_type === 'choice')
      if (choices === undefined) continue
      expect(choices).toContain(answer[0])
      expect(new Set(choices).size).toBe(4)
      for (const choice of choices) expect(text).toContain(choice)
    }
  })

  it('hold values that the eye can tell apart, between 0 and the end of the axis', () => {
    for (const index of indexes) {
      const { values, labels, axis } = barChart(5, index)
      const rising = values.toSorted((left, right) => left - right)
      const gaps = rising.slice(1).map((value, place) => value - (rising[place] ?? 0))
      expect(Math.min(...gaps)).toBeGreaterThan(0.025 * axis.max)
      expect(rising[0]).toBeGreaterThan(0)
      expect(rising.at(-1)).toBeLessThan(axis.max)
      expect(new Set(labels).size).toBe(values.length)
    }
  })

  it('put no bar so near a threshold that its side of it is in doubt', () => {
    for (const index of indexes) {
      const chart = barChart(5, index)
      const { query } = barChartQuestion(5, index, chart)
      if (query.kind !== 'count_above') continue
      const nearest = Math.min(...chart.values.map((value) => Math.abs(value - query.threshold)))
      expect(nearest).toBeGreaterThan(0.012 * chart.axis.max)
    }
  })

  it('write the values on the bars where a question asks for one', () => {
    const asked = indexes.map((index) => barChartQuestion(5, index, barChart(5, index)))
    for (const { query, value_labels } of asked) {
      if (query.kind === 'value' || query.kind === 'difference') expect(value_labels).toBe(true)
    }
    expect(asked.some((question) => !question.value_labels)).toBe(true)
  })

  it('are wide enough for their labels', () => {
    for (const index of indexes) {
      const { labels, look } = barChart(5, index)
      if (look.orientation === 'horizontal') continue
      const band = (look.width - 120) / labels.length
      for (const label of labels) expect(measuredWidth(label, 13)).toBeLessThan(band)
    }
  })

  it('use text colours that stand out from the page by at least 4.5 to 1', () => {
    for (const { page, ink, faint } of palettes) {
      for (const colour of [ink, faint]) expect(contrast(colour, page)).toBeGreaterThanOrEqual(4.5)
    }
  })
})

describe('pictures', () => {
  it('have the same bytes when drawn again', () => {
    const first = gymItem(5, 3).picture
    const again = gymItem(5, 3).picture
    expect(again.sha256).toBe(first.sha256)
    expect(Buffer.compare(again.bytes, first.bytes)).toBe(0)
    expect(gymItem(6, 3).picture.sha256).not.toBe(first.sha256)
  })

  it('are PNGs of the size they say', () => {
    const { picture, item } = gymItem(5, 0)
    const bytes = Buffer.from(picture.bytes)
    expect(bytes.subarray(1, 4).toString()).toBe('PNG')
    expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([picture.width, picture.height])
    expect([picture.width, picture.height]).toEqual([item.chart.look.width, item.chart.look.height])
  })

  it('show their text: without the words another picture comes out', () => {
    const svg = barChartSvg(barChart(5, 0), { valueLabels: true })
    const mute = svg.replaceAll(/<text[^>]*>[^<]*<\/text>/g, '')
    expect(renderedPng(svg).bytes.length).toBeGreaterThan(renderedPng(mute).bytes.length * 2)
  })
})

function contrast(left: string, right: string): number {
  const [dark = 0, light = 0] = [luminance(left), luminance(right)].toSorted((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((start) => {
    const level = Number.parseInt(colour.slice(start, start + 2), 16) / 255
    return level <= 0.03928 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
