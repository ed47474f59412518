import { describe, expect, it } from 'vitest'
import { barChart } from '#services/gym/families/chart/bar-chart.ts'
import { calledChartTool } from '#services/gym/chart-tool.ts'

const chart = barChart(1, 8)
const called = (given: unknown, name = 'chart_to_table') => calledChartTool(chart, { name, arguments: given })

describe('chart_to_table', () => {
  it('gives every bar, in order, as a Markdown table', () => {
    const { output_text: text } = called({ task: 'to_table' })
    const rows = text.split('\n').slice(4)
    expect(rows).toEqual(chart.labels.map((label, place) => `| ${label} | ${chart.values[place]} |`))
    expect(text).toContain(`Title: ${chart.title}`)
  })

  it('gives every bar as a line of data', () => {
    const lines = called({ task: 'extract_data', image_index: 0 }).output_text.replaceAll(',', '').split('\n')
    expect(lines).toEqual(chart.labels.map((label, place) => `${label}: ${chart.values[place]}`))
  })

  it.each([
    [{ task: 'to_table', image: 'a.png' }, 'E2', 'unknown argument "image"'],
    [{ task: 'table' }, 'E3', 'task "table" is not known'],
    [{ task: 'to_table', image_index: 1 }, 'E3', 'image_index 1 is out of range'],
    [{ task: 'to_table', image_index: '0' }, 'E3', 'image_index "0" is out of range'],
    [{}, 'E1', '"task" is missing'],
    ['to_table', 'E1', 'arguments must be an object'],
    [null, 'E1', 'arguments must be an object'],
    [['to_table'], 'E1', 'arguments must be an object'],
  ])('refuses %j and says why', (given, code, said) => {
    const result = called(given)
    expect(result).toMatchObject({ status: 'invalid', faults: [{ code }] })
    expect(result.output_text).toContain(said)
  })

  it('tells every fault of a call', () => {
    expect(called({ prompt: 'table please' })).toMatchObject({ faults: [{ code: 'E2' }, { code: 'E1' }] })
  })

  it('does not answer for another tool', () => {
    expect(called({ task: 'to_table' }, 'ocr')).toEqual({
      status: 'not_found',
      output_text: 'Error: there is no tool "ocr". Tools: chart_to_table.',
    })
  })
})
