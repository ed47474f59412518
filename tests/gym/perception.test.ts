import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { kinds } from '#services/gym/families/spatial/index.ts'
import { decodedPng } from '#services/gym/picture/decode.ts'
import { renderedPng } from '#services/gym/picture/render.ts'
import { element, svgPicture, text } from '#services/gym/picture/svg.ts'
import { openTools } from '#services/gym/tools/open.ts'
import type { CallResult } from '#services/gym/tools/tools.ts'

const tools = openTools({ threads: 1 })
afterAll(() => tools.close())

const scene = svgPicture(
  480,
  320,
  '#f4f4f4',
  element('circle', { cx: 80, cy: 100, r: 20, fill: '#c02020' }),
  element('rect', { x: 200, y: 60, width: 80, height: 80, fill: '#2050c0' }),
  element('circle', { cx: 400, cy: 220, r: 40, fill: '#c02020' }),
  text('Oak Street', { x: 40, y: 280, size: 18, family: 'Inter' }),
)

async function called(tool: string, task: string, values: Record<string, unknown>, svg = scene): Promise<CallResult> {
  const { sha256, bytes } = renderedPng(svg)
  return tools.call(
    { tool, task, arguments: values },
    { images: new Map([[sha256, bytes]]), question: '', choices: [] },
  )
}
const detected = async (caption: string): Promise<number> =>
  (await called('grounding_dino', 'detect', { caption })).n_detections ?? -1

describe('detection by words', () => {
  it.each([
    ['red circle', 2],
    ['large red circle', 1],
    ['blue square', 1],
    ['blue circle', 0],
    ['red circle left of the blue square', 1],
    ['circle below the square', 1],
    ['"oak street"', 1],
    ['red circle . blue square', 3],
    ['unicorn', 0],
  ])('%s: %i', async (caption, n) => {
    expect(await detected(caption)).toBe(n)
  })

  it('gives the boxes in pixels, and the size as height and width', async () => {
    const { output_json } = await called('grounding_dino', 'detect', { caption: 'square' })
    expect(output_json).toMatchObject({ boxes: [[200, 60, 280, 140]], phrases: ['square'], size: [320, 480] })
  })

  it('counts no letters of a heading', async () => {
    const table = svgPicture(
      480,
      320,
      '#ffffff',
      text('MARKET STALL A', { x: 24, y: 44, size: 26, family: 'Roboto', weight: 700 }),
      element('polygon', { points: '100,200 140,270 60,270', fill: '#2e9e4f' }),
      element('polygon', { points: '300,200 340,270 260,270', fill: '#2160c4' }),
    )
    expect(await called('grounding_dino', 'detect', { caption: 'triangle' }, table)).toMatchObject({ n_detections: 2 })
    expect(await called('grounding_dino', 'detect', { caption: 'object' }, table)).toMatchObject({ n_detections: 2 })
  })

  it('says which words it does not know', async () => {
    expect((await called('grounding_dino', 'detect', { caption: 'purple unicorn' })).observation).toContain(
      'not known here: unicorn',
    )
  })
})

describe('segmentation', () => {
  it('cuts out the thing at a point, in a box, and everything', async () => {
    const [point, box, all] = [
      await called('sam2', 'point_segment', { points: [[240, 100]] }),
      await called('sam', 'box_segment', { box: [355, 175, 445, 265] }),
      await called('sam', 'everything_segment', {}),
    ]
    expect(point.output_json).toMatchObject({
      num_masks: 1,
      results: [{ box: [200, 60, 280, 140], area: 6400, colour: 'blue' }],
    })
    expect(box.output_json).toMatchObject({ num_masks: 1, results: [{ box: [360, 180, 440, 260] }] })
    expect(Number(all.output_json?.['num_masks'])).toBeGreaterThanOrEqual(3)
  })

  it('finds nothing where there is nothing', async () => {
    expect(await called('sam', 'point_segment', { points: [[5, 5]] })).toMatchObject({
      status: 'ok',
      output_json: { num_masks: 0 },
    })
  })
})

describe('crop, zoom and turn', () => {
  it('gives the part of the box as a picture of its own', async () => {
    const result = await called('image_zoom_in_tool', 'image_zoom_in_tool', { bbox_2d: [200, 60, 280, 140] })
    const [image] = result.output_images
    const pixels = decodedPng(image!.bytes)
    expect([pixels.width, pixels.height]).toEqual([640, 640])
    expect([...pixels.data.subarray(0, 3)]).toEqual([0x20, 0x50, 0xc0])
  })

  it('turns clockwise', async () => {
    const result = await called('deepeyes', 'image_rotate_tool', { angle: 90 })
    const pixels = decodedPng(result.output_images[0]!.bytes)
    expect([pixels.width, pixels.height]).toEqual([320, 480])
    // The red circle at (80, 100) goes to (320 - 100, 80).
    const at = (80 * 320 + 220) * 4
    expect([...pixels.data.subarray(at, at + 3)]).toEqual([0xc0, 0x20, 0x20])
  })

  it('refuses a box that is too small or outside', async () => {
    for (const bbox_2d of [
      [10, 10, 12, 12],
      [600, 10, 700, 50],
    ]) {
      expect(await called('deepeyes', 'image_zoom_in_tool', { bbox_2d })).toMatchObject({
        status: 'tool_error',
        error_type: 'InvalidInput',
      })
    }
  })
})

describe('OCR tasks', () => {
  const table = svgPicture(
    480,
    160,
    '#ffffff',
    ...[
      ['Item', 'Price', 'Count'],
      ['Paper', '12.50', '4'],
      ['Glass', '7.25', '10'],
    ].flatMap((row, y) =>
      row.map((cell, x) => text(cell, { x: 30 + x * 150, y: 40 + y * 40, size: 16, family: 'Roboto' })),
    ),
  )

  it('extracts a table by rows and columns', async () => {
    const { output_json } = await called('easyocr', 'extract_table', {}, table)
    expect(output_json?.['rows']).toEqual([
      ['Item', 'Price', 'Count'],
      ['Paper', '12.50', '4'],
      ['Glass', '7.25', '10'],
    ])
  })

  it('reads a region, detects without reading, and reads without places', async () => {
    const region = await called('easyocr', 'extract_by_region', { region: [150, 60, 300, 90] }, table)
    expect(region.output_json?.['processed_output']).toMatch(/^12\.50 \[/)
    expect((await called('easyocr', 'detect_only', {}, table)).output_json?.['boxes']).toHaveLength(9)
    expect((await called('easyocr', 'recognize_only', {}, table)).output_json?.['texts']).toHaveLength(9)
  })
})

describe('an enlarged part', () => {
  it('is read as well as the whole: letters of 18 pixels, shown at 90', async () => {
    const cut = await called('deepeyes', 'image_zoom_in_tool', { bbox_2d: [30, 260, 140, 290] })
    const [image] = cut.output_images
    const context = { images: new Map([[image!.image_id, image!.bytes]]), question: '', choices: [] }
    const { output_json } = await tools.call({ tool: 'easyocr' }, context)
    const regions = output_json?.['regions'] as readonly { text: string; box: readonly number[] }[]
    expect(regions.map(({ text }) => text)).toEqual(['Oak Street'])
    const { width } = decodedPng(image!.bytes)
    const [left = 0, , right = 0] = regions[0]!.box
    expect([left / width < 0.2, right / width > 0.7, right <= width]).toEqual([true, true, true])
  })
})

describe('the answer', () => {
  it('reaches no tool: two items that differ in nothing but their answer hear the same', async () => {
    const [kind] = kinds
    const item = kind!.make({ seed: 3, split: 'test', index: 1, level: 1, style: 'ordinary' })
    const { sha256, bytes } = renderedPng(item.svg)
    const heard: CallResult[] = []
    for (const answer of [item.key.answer[0], '999']) {
      const fresh = openTools({ threads: 1 })
      const context = {
        images: new Map([[sha256, bytes]]),
        question: item.question,
        choices: [],
        key: { ...item.key, answer: [answer] },
      }
      heard.push(await fresh.call({ tool: 'grounding_dino', arguments: { caption: 'object' } }, context))
      await fresh.close()
    }
    const [first, second] = heard.map((result) => ({ ...result, latency_ms: 0, queued_ms: 0 }))
    expect(second).toEqual(first)
    expect(first?.n_detections).toBeGreaterThan(2)
  })

  it('is in no file that a tool is made of', () => {
    const named = /AnswerKey|answer-check|items\/generated|families\//
    for (const file of [
      'worker.ts',
      'job.ts',
      'tool.ts',
      'pool.ts',
      'open.ts',
      'local/detection.ts',
      'local/things.ts',
      'local/ocr.ts',
      'local/segmentation.ts',
    ]) {
      expect(readFileSync(new URL(import.meta.resolve(`#services/gym/tools/${file}`)), 'utf8'), file).not.toMatch(named)
    }
  })
})
