import { afterAll, describe, expect, it } from 'vitest'
import { seededChart, FORMS, type Chart, type ChartLevel } from '#services/gym/families/chart/chart.ts'
import { chartPicture } from '#services/gym/families/chart/drawing.ts'
import { decodedPng } from '#services/gym/picture/decode.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import { random } from '#services/gym/random.ts'
import { readChart } from '#services/gym/tools/chart/read-chart.ts'
import { numberIn, scaleOf } from '#services/gym/tools/chart/words.ts'
import { registry } from '#services/gym/tools/registry.ts'
import { localTools } from '#services/gym/tools/local-tools.ts'
import { textReader } from '#services/gym/tools/local/read-text.ts'
import { ToolFailure, type Pixels, type ToolOutput } from '#services/gym/tools/tool.ts'
import { rememberedReading } from '#tests/support/remembered-reading.ts'
import Value from 'typebox/value'
import type { Form } from '#services/gym/families/chart/chart.ts'

const reader = textReader()
const readText = rememberedReading(reader.readText)
afterAll(() => reader.close())

const level = (form: Form): ChartLevel => ({ forms: [form], categories: [4, 6], series: [2, 3], labelled: 0, noise: 1 })

function drawn(form: Form): { chart: Chart; pixels: Pixels } {
  const request = { seed: 31, split: 'test', index: 1, level: 0, style: 'ordinary' } as const
  const chart = seededChart(request, 'tools', level(form))
  const { svg } = chartPicture(chart, random(1, form))
  return { chart, pixels: decodedPng(renderedPng(svg).bytes) }
}

async function called(name: string, task: string, pixels: Pixels, question = ''): Promise<ToolOutput> {
  const tool = await localTools[name]?.()
  if (tool === undefined) throw new Error(`no tool ${name}`)
  const output = await tool({ task, arguments: {}, images: [pixels], question, choices: [] }, readText)
  const found = registry().find(name, task)
  if (!('task' in found)) throw new Error(found.message)
  expect([...Value.Errors(found.details.output, output.output)]).toEqual([])
  return output
}

describe('reading a chart from pixels', () => {
  it.each(FORMS)('finds form, names and values of %s to 4 %', { timeout: 30_000 }, async (form) => {
    const { chart, pixels } = drawn(form)
    const reading = await readChart(pixels, readText)
    expect(reading.form).toBe(form)
    expect(reading.categories).toEqual(chart.categories)
    for (const [place, name] of chart.series.entries()) {
      const read = chart.series.length === 1 ? 0 : reading.series.findIndex((series) => series.name === name)
      for (const [category, value] of (chart.values[place] ?? []).entries()) {
        expect(Math.abs((reading.values[read]?.[category] ?? 0) - value) / value).toBeLessThan(0.04)
      }
    }
  })

  it('says that there is no chart where there is none', async () => {
    const white: Pixels = { width: 200, height: 100, data: new Uint8Array(80_000).fill(255) }
    await expect(readChart(white, readText)).rejects.toThrow(ToolFailure)
    await expect(readChart(white, readText)).rejects.toMatchObject({ error_type: 'NoChartError' })
  })

  it('finds the scale that most ticks agree on, whatever one misread tick says', () => {
    const ticks = [0, 20, 40, 60, 80].map((value) => ({ pixel: 300 - 2.5 * value, value }))
    const misread = ticks.map((tick) => (tick.value === 60 ? { ...tick, value: 600 } : tick))
    const scale = scaleOf(misread)
    expect(scale?.ticks).toBe(4)
    expect((scale?.at ?? 0) + (scale?.per_pixel ?? 0) * 200).toBeCloseTo(40, 6)
  })

  it('reads numbers as axes write them, and no words', () => {
    expect(['1,240', '12.5', '35%', 'O', 'l0'].map(numberIn)).toEqual([1240, 12.5, 35, null, 10])
    expect(['Oslo', '', '12 kg', '1.2.3'].map(numberIn)).toEqual([null, null, null, null])
  })
})

describe('chart tools', () => {
  it('say what fits their schemas', { timeout: 60_000 }, async () => {
    const { chart, pixels } = drawn('grouped_bars')
    for (const task of ['to_table', 'extract_data', 'describe', 'analyze', 'title'])
      await called('chartmoe', task, pixels)
    const graph = await called('chart_scene_graph', 'to_scene_graph', pixels)
    expect(
      (graph.output['edges'] as { relation: string }[]).filter(({ relation }) => relation === 'belongs_to'),
    ).toHaveLength(chart.series.length * chart.categories.length)
    const { text: svg } = await called('opencv', 'to_svg', pixels)
    expect(svg.match(/<rect/g)?.length).toBeGreaterThanOrEqual(chart.series.length * chart.categories.length)
    const { output } = await called('caption_colours', 'caption', pixels)
    expect(output['colours']).toMatchObject(
      chart.series.map((of, place) => ({ of, colour: chart.look.paints[place]?.name })),
    )
  })

  it('answer a question that a rule can work out, and refuse another', { timeout: 30_000 }, async () => {
    const { chart, pixels } = drawn('bars')
    const own = chart.values[0] ?? []
    const { noun, measure } = chart.topic
    const { text } = await called('chartmoe', 'answer', pixels, `Which ${noun} has the highest ${measure}?`)
    expect(text).toBe(chart.categories[own.indexOf(Math.max(...own))])
    await expect(called('chartmoe', 'answer', pixels, 'Why is that so?')).rejects.toMatchObject({
      error_type: 'InvalidInput',
    })
  })
})
