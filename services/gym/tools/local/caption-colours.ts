import { colourName, hexOf } from '#services/gym/tools/chart/colour-names.ts'
import { readChart } from '#services/gym/tools/chart/read-chart.ts'
import { formWord } from '#services/gym/tools/chart/table-text.ts'
import { pictureOf } from './request-picture.ts'
import type { LocalTool } from '#services/gym/tools/tool.ts'

/** Names the colour of each series, or where there is one series of each category, and what it stands for. */
export const captionColours: LocalTool = async (request, readText) => {
  const reading = await readChart(pictureOf(request), readText)
  const named = new Map<string, string>()
  for (const { series, category, colour } of reading.marks) {
    const of = reading.series.length > 1 ? reading.series[series]?.name : reading.categories[category]
    if (of !== undefined && of !== '' && !named.has(of)) named.set(of, hexOf(colour))
  }
  const colours = [...named].map(([of, hex]) => {
    const level = (from: number): number => Number.parseInt(hex.slice(from, from + 2), 16)
    return { of, colour: colourName([level(1), level(3), level(5)]), hex }
  })
  const caption = `A ${formWord(reading.form)}${reading.title === '' ? '' : ` titled "${reading.title}"`}.`
  const lines = colours.map(({ of, colour, hex }) => `${of}: ${colour} (${hex})`)
  return { text: [caption, ...lines].join('\n'), output: { caption, colours } }
}
